import { assert, describe, it } from "@effect/vitest"
import type { Direction, Pace, WireFault } from "../support/faultyProxy.ts"
import { type Case, type Ends, type Part, type Setting, Stage } from "./drive.ts"
import { type CutFault, cuts, type SpotFault, spots, voiceOf, whole } from "./list.ts"
import type { DraftName, Face } from "./faces.ts"

/** Where in a conversation a byte of a part stands: what follows the handshake is counted from there. */
const placeOf = (ends: Ends, direction: Direction, part: Part, offset: number): Omit<WireFault, "action"> =>
  part === "head"
    ? { direction, after: offset }
    : { direction, after: offset + (part === "message" ? 0 : ends.message - ends.head), from: "mark" }

/** Bytes of the longest and the shortest head of Hixie-76, whose keys are random, differ by less than this. */
const hixieSlack = 60

/** The bytes of a part, counted from its first. */
const offsetsOf = (ends: Ends, { direction, only, part }: CutFault, draft: DraftName): ReadonlyArray<number> => {
  const begin = part === "head" ? 0 : part === "message" ? ends.head : ends.message
  const slack = draft === "hixie-76" && part === "head" && direction === "up" ? hixieSlack : 0
  const all = Array.from({ length: ends[part] - begin - slack }, (_, index) => index)
  return only === "first" ? all.slice(0, 1) : only === "rest" ? all.slice(1) : all
}

/** The cases of a fault: one for every `step`th byte, the first and the last of a part always among them. */
const casesOf = (
  fault: CutFault,
  { draft = "13", face }: Setting,
  ends: { readonly [D in Direction]: Ends },
  step: number
): ReadonlyArray<Case> => {
  const { action, direction, name, part, verdicts } = fault
  return offsetsOf(ends[direction], fault, draft)
    .filter((offset, index, all) => offset % step === 0 || index === 0 || index === all.length - 1)
    .map((offset) => ({
      name: `${name}, after ${offset} bytes of it`,
      fault: { ...placeOf(ends[direction], direction, part, offset), action },
      verdict: verdicts[voiceOf(face)]
    }))
}

const holdCuts = (setting: Setting, step: number): Promise<void> =>
  Stage.with(setting, async (stage) => {
    const ends = await stage.measure()
    // That one side ends is no different from byte to byte; a few will do.
    const cases = cuts.flatMap((fault) => casesOf(fault, setting, ends, fault.action === "end" ? 5 * step : step))
    assert.isAbove(cases.length, 20)
    assert.deepStrictEqual(await stage.hold(cases), [])
  })

describe("a connection that is lost at each byte", () => {
  for (const face of ["Effect", "ws", "legacy"] as const) {
    it(face, () => holdCuts({ face }, 1))
  }
  it("`ws` itself, at some", () => holdCuts({ face: "peer" }, 9))
  for (const draft of ["8", "7", "hixie-76"] as const) {
    for (const face of ["Effect", "legacy"] as const) {
      it(`${face}, draft ${draft}, at some`, () => holdCuts({ face, draft }, 7))
    }
  }
})

describe("what is late, and comes in pieces", () => {
  const paces: ReadonlyArray<Pace> = [
    { bytes: 1, delay: 0 },
    { bytes: 7, delay: 1 },
    { bytes: 90, delay: 60 }
  ]
  for (const face of ["Effect", "ws", "legacy"] as const) {
    it(face, () =>
      Stage.with({ face }, async (stage) => {
        const cases = paces.map((pace) => ({
          name: `${pace.bytes} bytes each ${pace.delay} ms`,
          pace,
          verdict: whole[face]
        }))
        assert.deepStrictEqual(await stage.hold(cases), [])
      })
    )
  }
})

/** Milliseconds of a limit that ends what stalls; nothing else may take as long, on a slow machine either. */
const timeLimit = 2000

const spotOf = (fault: SpotFault, face: Face, ends: { readonly [D in Direction]: Ends }): ReadonlyArray<Case> => {
  const { action, direction, limit, name, offset = 0, part, text, verdicts } = fault
  const verdict = verdicts[voiceOf(face)]
  if (verdict === undefined) return []
  return [
    {
      name,
      fault: { ...placeOf(ends[direction], direction, part, offset), action },
      client: {
        ...(text === undefined ? {} : { opened: (client) => client.send(text) }),
        ...(limit === undefined ? {} : { [limit]: timeLimit })
      },
      verdict
    }
  ]
}

const [stalls, changes] = [true, false].map((isStall) => spots.filter(({ action }) => (action === "stall") === isStall))

describe.each([
  ["stalls", stalls, timeLimit, 1],
  ["arrives changed or in another order", changes, undefined, 5]
] as const)("what %s", (_, faults = [], keepAlive, least) => {
  for (const face of ["Effect", "ws", "legacy", "peer"] as const) {
    it(face === "peer" ? "`ws` itself" : face, () =>
      Stage.with({ face, keepAlive }, async (stage) => {
        const ends = await stage.measure()
        const cases = faults.flatMap((fault) => spotOf(fault, face, ends))
        assert.isAbove(cases.length, least)
        assert.deepStrictEqual(await stage.hold(cases), [])
      })
    )
  }
})
