/** How the program ends, by what happened. */
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
