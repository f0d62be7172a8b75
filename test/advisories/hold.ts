import { it } from "@effect/vitest"
import { Cause, Effect, Exit, type Scope } from "effect"
import type { FaceName } from "./faces.ts"
import type { Place } from "./list.ts"

/** What was declared, as `id | place`. */
export const held = new Set<string>()

/** Declares the test of an advisory in one place. */
export const hold = (id: string, place: Place, title: string, test: () => Promise<void> | void): void => {
  held.add(`${id} | ${place}`)
  it(`${place}: ${title}`, test)
}

/** Declares the same test for several faces. */
export const holdAll = (
  id: string,
  faces: ReadonlyArray<FaceName>,
  title: string,
  test: (face: FaceName) => Promise<void>
): void => {
  for (const face of faces) hold(id, face, title, () => test(face))
}

export const every: ReadonlyArray<FaceName> = ["Effect", "ws", "legacy"]

export const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(effect))

/** Why an effect dies, as one does on what its types rule out. */
export const defectOf = (effect: Effect.Effect<unknown, unknown>): Effect.Effect<unknown> =>
  Effect.map(Effect.exit(effect), (exit) => (Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined))
