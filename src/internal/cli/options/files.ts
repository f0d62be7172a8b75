import * as Effect from "effect/Effect"
import { readFile, writeFile } from "node:fs/promises"
import { misuse, WscatError } from "../errors/failure.ts"
import { plain } from "../errors/plain.ts"

/** The content of a file that an option names. */
export const readBytes = (path: string, option: string): Effect.Effect<Buffer, WscatError> =>
  Effect.tryPromise({
    try: () => readFile(path),
    catch: (cause) => misuse(`${option}: cannot read ${path}: ${plain(cause)}`)
  })

/** Writes a file that an option names. */
export const writeText = (path: string, text: string, option: string): Effect.Effect<void, WscatError> =>
  Effect.tryPromise({
    try: () => writeFile(path, text),
    catch: (cause) => new WscatError({ kind: "output", message: `${option}: cannot write ${path}: ${plain(cause)}` })
  })

/** The first line of a file, where a secret stands. */
export const readSecret = (path: string, option: string): Effect.Effect<string, WscatError> =>
  Effect.map(readBytes(path, option), (bytes) => bytes.toString("utf8").split(/\r?\n/, 1)[0] ?? "")
