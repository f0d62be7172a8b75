import type * as fc from "fast-check"
import type { Guided } from "./guided.ts"

/** One thing to fuzz: a property of generated inputs, or bytes that coverage guides. */
export type Target =
  | {
      readonly name: string
      /** What must hold of every input. */
      readonly property: fc.IRawProperty<unknown, boolean> | fc.IRawProperty<unknown>
    }
  | { readonly name: string; readonly guided: Guided }

/** Fails with what was expected and what came. */
export const expect = (condition: boolean, message: () => string): void => {
  if (!condition) throw new Error(message())
}

/** Fails unless two values are the same as JSON has them. */
export const expectSame = (actual: unknown, expected: unknown, what: string): void => {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (left !== right) throw new Error(`${what}:\n  got      ${left}\n  expected ${right}`)
}
