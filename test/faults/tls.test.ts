// TLS that breaks: in its own handshake, in ours, and behind both.
import { assert, describe, it } from "@effect/vitest"
import { makeCertificate } from "../support/certificate.ts"
import { type Action, type Direction, FaultyProxy } from "../support/faultyProxy.ts"
import { type Case, type Ends, Stage } from "./drive.ts"
import { connect, serveEffect, unlimited, untimed } from "./faces.ts"
import { answered, cut, hello, neverOpened, nobody, type Verdicts, voiceOf } from "./list.ts"
import { watched } from "./watch.ts"

const certificate = makeCertificate()

const lost = neverOpened("OpenFailed lost", "lost", nobody)

const broken = neverOpened("OpenFailed no TLS", "no TLS", nobody)

/** What breaks it, and what both sides are told: in the handshake of TLS, in the answer to ours, in a message. */
const actions: ReadonlyArray<{
  readonly action: Action
  readonly early: Verdicts
  readonly inAnswer: Verdicts
  readonly cause: string
}> = [
  {
    action: "reset",
    early: lost,
    inAnswer: neverOpened("OpenFailed lost", "lost", answered("TransportFailed")),
    cause: "TransportFailed"
  },
  {
    action: "end",
    early: lost,
    inAnswer: neverOpened("OpenFailed lost", "lost", answered("TransportEnded")),
    cause: "TransportEnded"
  },
  {
    action: "corrupt",
    early: broken,
    inAnswer: neverOpened("OpenFailed no TLS", "no TLS", answered("TransportFailed")),
    cause: "TransportFailed"
  }
]

/** Bytes of a record of TLS: its kind, its length, what is in it. */
const inRecord = [0, 3, 20]

/** So many bytes before the end of our handshake in each direction is the record that holds it. */
const beforeEnd = [100, 20]

type Described = Omit<Case, "verdict"> & { readonly verdicts: Verdicts }

const casesOf = (ends: { readonly [D in Direction]: Ends }): ReadonlyArray<Described> =>
  actions.flatMap(({ action, cause, early, inAnswer }) =>
    (["up", "down"] as const).flatMap((direction): ReadonlyArray<Described> => {
      const inMessage = cut(cause, [], direction === "up" ? [] : [hello])
      const inHandshake = direction === "up" ? early : inAnswer
      return [
        ...inRecord.map((after) => ({
          name: `${action} ${direction}, in the handshake of TLS, after ${after} bytes`,
          fault: { direction, after, action },
          verdicts: early
        })),
        ...beforeEnd.map((before) => ({
          name: `${action} ${direction}, in our handshake, ${before} bytes before its end`,
          fault: { direction, after: ends[direction].head - before, action },
          verdicts: inHandshake
        })),
        // What changes the length of a record makes it wait for more.
        ...inRecord
          .filter((after) => action !== "corrupt" || after !== 3)
          .map((after) => ({
            name: `${action} ${direction}, in a message, after ${after} bytes`,
            fault: { direction, after, action, from: "mark" as const },
            verdicts: inMessage
          }))
      ]
    })
  )

describe("TLS that breaks", () => {
  for (const face of ["Effect", "ws", "legacy", "peer"] as const) {
    it(face === "peer" ? "`ws` itself" : face, () =>
      Stage.with({ face, tls: certificate }, async (stage) => {
        const cases = casesOf(await stage.measure())
        assert.isAbove(cases.length, 40)
        const held = cases.map(({ verdicts, ...one }) => ({ ...one, verdict: verdicts[voiceOf(face)] }))
        assert.deepStrictEqual(await stage.hold(held), [])
      })
    )
  }
})

/** However it is lost: never open, or open and told so, or over already. */
const endings =
  /^(OpenFailed .*|HandshakeFailed UnexpectedStatus \d+|ConnectionClosed 1006 Transport(Ended|Failed)|end Handshake)$/

describe("a connection of HTTP/2 that is lost at some of its bytes", () => {
  for (const action of ["reset", "end", "corrupt"] as const) {
    it(action, () =>
      watched(async () => {
        const server = await serveEffect(
          { tls: certificate, keepAlive: unlimited, closeTimeout: unlimited },
          {},
          { http2: true }
        )
        const lose = async (direction: Direction, after: number): Promise<void> => {
          const proxy = await FaultyProxy.before(server.port, { direction, after, action })
          const client = connect.Effect(proxy.port, {
            path: "/fault",
            tls: certificate,
            http2: true,
            ...untimed
          })
          await client.over
          const ending = client.told.at(-1) ?? ""
          if (!endings.test(ending)) unexpected.push(`${direction} ${after}: ${client.told.join(", ")}`)
          proxy.stop()
        }
        const unexpected: Array<string> = []
        const places = Array.from({ length: 40 }, (_, index) => index * 80)
        const work = async (): Promise<void> => {
          for (let after = places.shift(); after !== undefined; after = places.shift()) {
            await Promise.all([lose("up", after), lose("down", after)])
          }
        }
        await Promise.all([work(), work(), work(), work()])
        assert.deepStrictEqual(unexpected, [])
        await server.stop()
      })
    )
  }
})
