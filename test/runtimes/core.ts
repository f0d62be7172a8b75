/** The tests that every run time runs: the protocol, the sockets, the server, and the faces of `ws`. */

const within = (folder: string, ...names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.map((name) => `test/${folder}${name}.test.ts`)

export const core: ReadonlyArray<string> = [
  ...within("", "Extension", "Frame", "frame-property", "hixieCodec", "mask", "utf8", "timers", "connection"),
  ...within("", "Handshake", "HandshakeHixie", "handshake-property", "deflate", "conformance"),
  ...within("", "Socket", "Server", "drafts", "admission", "backpressure", "broadcast", "observer"),
  ...within("", "schema", "reconnecting", "socks5", "interop", "http2"),
  ...within("platform/", "node", "socket"),
  ...within("effectSocket/", "contract", "http", "rpc"),
  ...within("ws/", "closing", "differences", "events", "frames", "messages", "opening", "pieces", "server", "stream"),
  ...within("ws-legacy/", "client", "closing", "frames", "interop", "original", "sending", "server")
]
