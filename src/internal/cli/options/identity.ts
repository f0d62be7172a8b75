/** Certificates, keys and passphrases, as the options name them. */
import * as Effect from "effect/Effect"
import { type ConnectionOptions, createSecureContext } from "node:tls"
import { misuse, WscatError } from "../errors/failure.ts"
import { readBytes, readSecret } from "./files.ts"
import { ask, type Connecting } from "./values.ts"
import { askPassphrase } from "./passphrase.ts"
import { plain } from "../errors/plain.ts"

/** The certificates of this side, and the authorities that it trusts. */
export type Identity = Pick<ConnectionOptions, "ca" | "cert" | "key" | "pfx" | "passphrase">

const passphraseOf = (flags: Connecting): Effect.Effect<string | undefined, WscatError> => {
  if (flags.passphrase === ask) return askPassphrase
  return flags.passphrase !== undefined || flags.passphraseFile === undefined
    ? Effect.succeed(flags.passphrase)
    : readSecret(flags.passphraseFile, "--passphrase-file")
}

/** RFC 7468: what begins a certificate, and what a private key of any kind. */
const certificateMark = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/
const keyMark = /-----BEGIN [A-Z ]*PRIVATE KEY-----/

/** A PEM file that must hold what it is named for: `node:tls` passes over others in silence. */
const readPem = (path: string, option: string, mark: RegExp, what: string): Effect.Effect<Buffer, WscatError> =>
  Effect.flatMap(readBytes(path, option), (bytes) =>
    mark.test(bytes.toString("latin1"))
      ? Effect.succeed(bytes)
      : Effect.fail(misuse(`${option}: there is no ${what} in ${path}`, "files are in the PEM format"))
  )

/** The key of a certificate: of a file of its own, or of the file of the certificate. */
const readKey = (path: string | undefined, cert: Buffer | undefined): Effect.Effect<Buffer | undefined, WscatError> => {
  if (path === undefined) {
    return cert === undefined || keyMark.test(cert.toString("latin1"))
      ? Effect.succeed(cert)
      : Effect.fail(misuse("--cert needs the private key of the certificate", "--key names its file"))
  }
  return cert === undefined
    ? Effect.fail(misuse("--key needs the certificate of the private key", "--cert names its file"))
    : readPem(path, "--key", keyMark, "private key")
}

/** What is wrong with files that can't be used together, as OpenSSL has it, and what that means. */
const problems = [
  [/bad decrypt|mac verify|interrupted or cancelled|password/, "the passphrase is wrong, or left out", "--passphrase"],
  [/mismatch/, "the private key does not belong to the certificate", "--cert and --key"]
] as const

const isLocked = ({ key }: Identity): boolean => Buffer.isBuffer(key) && key.includes("ENCRYPTED")

const check = (identity: Identity): Effect.Effect<Identity, WscatError> =>
  Effect.try({
    try: () => {
      createSecureContext(identity)
      return identity
    },
    catch: (cause) => {
      const text = plain(cause)
      // One wrong passphrase in 256 decrypts to something, which is then no key.
      const [, message = `the certificate or the key can't be used: ${text}`, hint = "look at --cert and --key"] =
        problems.find(([pattern]) =>
          pattern.test(isLocked(identity) && text === "unsupported" ? "bad decrypt" : text)
        ) ?? []
      return new WscatError({ kind: "tls", message, hint })
    }
  })

/** Certificates and keys. A file whose name ends in `.p12` or `.pfx` holds both. */
export const identityOf = (flags: Connecting): Effect.Effect<Identity, WscatError> =>
  Effect.gen(function* () {
    const { ca, cert: path } = flags
    const isContainer = path !== undefined && /\.(?:p12|pfx)$/i.test(path)
    const pfx = isContainer ? yield* readBytes(path, "--cert") : undefined
    const cert =
      isContainer || path === undefined ? undefined : yield* readPem(path, "--cert", certificateMark, "certificate")
    const key = isContainer ? undefined : yield* readKey(flags.key, cert)
    const authority = ca === undefined ? undefined : yield* readPem(ca, "--ca", certificateMark, "certificate")
    const passphrase = yield* passphraseOf(flags)
    const identity = {
      ...(authority === undefined ? {} : { ca: authority }),
      ...(pfx === undefined ? {} : { pfx }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase })
    }
    return cert === undefined && pfx === undefined ? identity : yield* check(identity)
  })
