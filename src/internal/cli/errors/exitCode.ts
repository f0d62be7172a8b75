/**
 * The exit codes of the program.
 *
 * @category constants
 * @since 0.1.0
 */
export const exitCode = {
  /** Closed in order: with 1000, 1001 or without a code; or by us. */
  clean: 0,
  /** Something that should not happen. */
  unexpected: 1,
  /** The command line, or what was to be sent, can't be understood. */
  usage: 2,
  /** No connection: name not found, refused, unreachable, or the proxy gives no way. */
  unreachable: 3,
  /** The server answered, and refused the handshake, or broke it. */
  handshake: 4,
  /** TLS failed: the certificate is not trusted, or it isn't TLS at all. */
  tls: 5,
  /** It took too long to open. */
  timeout: 6,
  /** The peer closed with an error code, or the connection was lost. */
  closed: 7,
  /** The peer broke the protocol, or sent more than `--max-payload`. */
  protocol: 8,
  /** The port can't be listened on. */
  listen: 9,
  /** The output can't be written: a full disk, for example. A reader that went away is no error. */
  output: 10,
  /** The connection ended in order before `--count` messages came. */
  unmet: 11,
  /** A message that `--expect` describes did not come within `--within`. */
  late: 12,
  /** The connection ended before a message came that `--expect` describes. */
  missing: 13,
  /** The answers to `wscat replay` differ from the recording. */
  different: 14
} as const

/** A kind of end. */
export type Ending = keyof typeof exitCode

/** What the exit codes mean, in the words of the help. */
export const exitTexts: ReadonlyArray<readonly [code: number, text: string]> = [
  [exitCode.clean, "closed in order: with 1000, 1001 or no code, or by this program"],
  [exitCode.unexpected, "something that should not happen"],
  [exitCode.usage, "the command line, the input, or a file that it names can't be used"],
  [exitCode.unreachable, "no connection: not found, refused, unreachable, no way by proxy"],
  [exitCode.handshake, "the server refused the handshake, or broke it"],
  [exitCode.tls, "TLS failed"],
  [exitCode.timeout, "opening took too long"],
  [exitCode.closed, "closed with an error code, or lost"],
  [exitCode.protocol, "the peer broke the protocol, or sent more than --max-payload"],
  [exitCode.listen, "the port can't be listened on"],
  [exitCode.output, "the output can't be written"],
  [exitCode.unmet, "the connection ended before --count messages came"],
  [exitCode.late, "what --expect describes did not come --within the time"],
  [exitCode.missing, "the connection ended before what --expect describes came"],
  [exitCode.different, "the answers to wscat replay differ from the recording"]
]
