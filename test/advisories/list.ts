/**
 * The advisories that a WebSocket library has to answer for: which faces can suffer from each, and which change to the
 * sources would let it in again. `test/advisories.test.ts` holds one test or more for each face named here, and
 * `docs/reliability.md` prints this list.
 */

/** A part of the library that can suffer. `engine` is what all faces share. */
export type Place = "engine" | "Effect" | "ws" | "legacy"

export interface Advisory {
  /** How it is known: the name that the tests carry. */
  readonly id: string
  /** Where it was found, and what it does. */
  readonly what: string
  /** What is held against it. Empty when it can't apply. */
  readonly places: ReadonlyArray<Place>
  /** What holds: why it fails here; or why it can't apply. */
  readonly holds: string
  /** The change that makes a test of it fail; absent when nothing could. */
  readonly breaks?: string
  /** Why a face isn't among the places. */
  readonly except?: string
}

export const advisories: ReadonlyArray<Advisory> = [
  {
    id: "GHSA-2mhh-w6q8-5hxw",
    what: "ws 1.0.1 (2016): `ping(200)` sent 200 bytes of uninitialised memory",
    places: ["Effect", "ws", "legacy"],
    holds: "a payload is text or bytes: the Effect face refuses a number, the other two send its digits",
    breaks: "live.ts, WebSocket.ts: hand a number on to the encoder, or to `Buffer.allocUnsafe`"
  },
  {
    id: "ws 3.3.1",
    what: "ws 3.3.1 (2017): names in Sec-WebSocket-Extensions found on `Object.prototype` crash the server",
    places: ["engine", "Effect", "ws", "legacy"],
    holds: "extensions and parameters are lists, or objects without a prototype",
    breaks:
      "protocol/opening/deflateParams.ts: look the name of a parameter up in an object literal; ws/extension.ts: parse into `{}`"
  },
  {
    id: "CVE-2021-32640",
    what: "ws 7.4.6: Sec-WebSocket-Protocol with many spaces takes quadratic time",
    places: ["engine", "Effect", "ws", "legacy"],
    holds: "every pattern and parser takes time in proportion to the header",
    breaks:
      "protocol/opening/checks.ts `listOf`: drop the `^` that the pattern begins with; ws/subprotocol.ts: look first at the header with a pattern of two repetitions side by side; legacy/upgrade.ts: split at ` */, */`"
  },
  {
    id: "CVE-2020-7662",
    what: "websocket-extensions: an unclosed quoted value takes exponential time",
    places: ["engine", "Effect", "ws", "legacy"],
    holds: "the parser of Sec-WebSocket-Extensions reads each character once; the legacy face doesn't read the header",
    breaks:
      "protocol/opening/extensions.ts `parseExtensions`: look first whether the quotes are closed, by a pattern with one repetition in another"
  },
  {
    id: "ws#2013",
    what: "ws: credentials follow a redirect to another host, or out of a Unix socket",
    places: ["Effect", "ws", "legacy"],
    holds:
      "authorization and cookie stay with their host and never leave TLS; on the Effect API a redirect leads to no Unix socket; the legacy API follows none",
    breaks:
      "protocol/opening/redirect.ts `droppedHeaders`: drop nothing; legacy/opening.ts: ask again at the answer's `location`"
  },
  {
    id: "CVE-2024-37890",
    what: "ws 8.17.1: more headers than Node keeps, with Upgrade among the lost ones, crash the server",
    places: ["Effect", "ws", "legacy"],
    holds:
      "a request whose headers are missing is refused with 400 or 426; recent releases of Node answer 431 themselves",
    breaks: "protocol/opening/rules.ts `invalidField`: take an absent field for a valid one"
  },
  {
    id: "CVE-2026-45736",
    what: "ws 8.20.1: `close(1000, new Float32Array(20))` leaks memory behind the reason",
    places: ["Effect", "ws", "legacy"],
    holds:
      "a reason is a string or a Uint8Array of at most 123 bytes; else the call throws and nothing is sent. The legacy face takes any array, and sends the bytes that it has",
    breaks: "Sender.ts `closePayload`: allocate by `Buffer.byteLength` and copy by index"
  },
  {
    id: "CVE-2026-48779",
    what: "ws 8.21.0: tiny fragments, or a frame in tiny chunks, exhaust memory",
    places: ["engine", "Effect", "ws", "legacy"],
    holds: "fragments are copied into one growing buffer, chunks into one of the frame's length",
    breaks: "connection.ts `fragment`: keep a list of fragments; hybiDecoder.ts `fill`: keep a list of chunks"
  },
  {
    id: "ws#2329",
    what: "ws (2026): empty fragments aren't counted, plain or compressed",
    places: ["engine", "Effect", "ws", "legacy"],
    holds: "an empty fragment costs nothing; the `ws` face counts it all the same and closes with 1008",
    breaks: "connection.ts `fragment`: count, or bound, only those that have bytes, and keep each"
  },
  {
    id: "ws#2331",
    what: "ws (2026): within the limits 0.87 MB on the wire pin 13 MB",
    places: ["engine", "Effect", "ws", "legacy"],
    holds: "what a message under way costs is bounded by its bytes; what waits for a reader counts overhead",
    breaks: "receiveBuffer.ts `keep`: count payloads alone; assembler.ts: keep views of the chunks"
  },
  {
    id: "ws maxPendingAutoPongs",
    what: "ws ≤ 8.23: pings to a server whose answers nobody reads fill its memory with pongs",
    places: ["engine", "Effect", "ws", "legacy"],
    holds: "while the transport is congested one pong waits, for the latest ping; the `ws` face ends after 60",
    breaks: "connection.ts `pong`: write it whatever `transport.congested` says"
  },
  {
    id: "ws mask view",
    what: "ws 8.23's own comment: a view of four bytes pins a read buffer of 64 KiB on an idle connection",
    places: ["engine"],
    holds: "after a read no view of it is kept: a cut header or payload is copied, a masking key is a number",
    breaks: "hybiDecoder.ts `keepHeader`: keep `chunk.subarray(from)`",
    except: "the faces: they share the decoder"
  },
  {
    id: "CVE-2026-54466",
    what: "websocket-driver < 0.7.5, and ws 0.4: a run of Hixie length bytes grows a number without bound",
    places: ["engine", "Effect", "legacy"],
    holds: "a length beyond the limit, or of more than seven digits, ends the connection",
    breaks: "hixie.ts `readDigit`: drop either check",
    except: "ws: speaks no Hixie-76"
  },
  {
    id: "CVE-2026-54490",
    what: "websocket-driver < 0.7.5, and CVE-2026-54464 in Ruby: the size limit isn't applied after inflation",
    places: ["Effect", "ws", "legacy"],
    holds:
      "the limit is on inflated bytes, while they are inflated: 1009. The legacy face has no compression and refuses such frames with 1002",
    breaks:
      "decompressor.ts: give `Infinity` for `limit`; connection.ts: set `allowedRsv`, and tell the bytes as they are, where nothing was negotiated"
  },
  {
    id: "CVE-2026-54467",
    what: "websocket-driver in Ruby: the HTTP head has no limit, in either role",
    places: ["Effect", "ws", "legacy"],
    holds: "Node's parser stops at 16 KiB: a server answers 431, a client fails",
    breaks: "Server.ts `listen`, exchange.ts: raise `maxHeaderSize`"
  },
  {
    id: "websocket-driver 0.8.0",
    what: "websocket-driver: Hixie keys without digits or spaces, or beyond 32 bits; pings keyed by raw payload",
    places: ["engine", "Effect", "legacy"],
    holds: "such keys are refused (a key that hides the number 0 is valid by the draft); pings stand in a list",
    breaks: "hixie76.ts `numberInKey`: drop the bounds; live.ts: keep pings in an object",
    except: "ws: speaks no Hixie-76, and keeps no record of its pings"
  },
  {
    id: "CVE-2026-1526",
    what: "undici: 6 MB inflate to 1 GB",
    places: ["Effect", "ws", "legacy"],
    holds: "1009 at the limit, and memory near it; 1002 on the legacy face",
    breaks:
      "decompressor.ts: inflate first and look at the size afterwards; connection.ts: set `allowedRsv`, and tell the bytes as they are, where nothing was negotiated"
  },
  {
    id: "CVE-2026-1528",
    what: "undici, and CVE-2026-43678 in swift-nio: 64-bit lengths overflow and the process dies",
    places: ["engine", "Effect", "ws", "legacy"],
    holds: "lengths from 2^31 to 2^64-1 give 1002 or 1009 before anything is allocated, in both roles",
    breaks: "hybiDecoder.ts `parseHeader`: move the check of the size behind `makeRoom`, or read with `<< 32`"
  },
  {
    id: "CVE-2026-2229",
    what: "undici: `server_max_window_bits=99` throws out of zlib",
    places: ["engine", "Effect", "ws", "legacy"],
    holds:
      "8 to 15 alone: a server declines or refuses, a client fails the handshake; the legacy face accepts no offer",
    breaks:
      "protocol/opening/deflateParams.ts `windowBits`: take any number; legacy/upgrade.ts: answer an offer; connection.ts: set `allowedRsv`, and tell the bytes as they are, where nothing was negotiated"
  },
  {
    id: "CVE-2026-1527",
    what: "undici: CR and LF through the value of Upgrade split the request",
    places: ["engine", "Effect", "ws", "legacy"],
    holds: "no header, URL, subprotocol or status line that we write takes CR, LF or NUL",
    breaks:
      "protocol/opening/token.ts `isFieldValue`: allow any character; WebSocketServer.ts `refuse`: write the headers as they are; legacy/upgrade.ts `isLine`: answer true",
    except: "ws: the lines that a `headers` listener adds are the program's own, as in ws"
  },
  {
    id: "CVE-2020-27813",
    what: "gorilla#537: the read limit overflows, or control frames between fragments reset it",
    places: ["engine", "Effect", "ws", "legacy"],
    holds: "the size of a message is the sum of its fragments whatever stands between them",
    breaks: "hybiDecoder.ts `deliver`: reset `messageSize` at a control frame"
  },
  {
    id: "CVE-2023-43669",
    what: "tungstenite#376: a long head in small pieces takes quadratic time",
    places: ["Effect", "ws", "legacy"],
    holds: "a head of 20 MB is refused after its first 16 KiB, also when it comes byte by byte",
    breaks: "Server.ts `listen`: raise `maxHeaderSize`"
  },
  {
    id: "websockets PR#407",
    what: "websockets (Python), 2018: a compressed message inflates without limit",
    places: ["Effect", "ws", "legacy"],
    holds: "as CVE-2026-1526, with the bomb spread over fragments",
    breaks:
      "connection.ts `inflate`: inflate fragment by fragment with a limit for each; connection.ts: set `allowedRsv`, and tell the bytes as they are, where nothing was negotiated"
  },
  {
    id: "websockets basic auth",
    what: "websockets (Python), 2021: the comparison of credentials shows by its time how far it came",
    places: [],
    holds: "the library compares no credentials: `authorize` and `verifyClient` are the program's"
  },
  {
    id: "CSWSH",
    what: "cross-site WebSocket hijacking: servers that take any origin, among them most libraries by default",
    places: ["Effect", "ws", "legacy"],
    holds:
      "the Effect face refuses another origin unless it is told otherwise; the `ws` faces give it to `verifyClient`, as ws does",
    breaks: "handshake/server.ts `acceptAs`: another default than `same`"
  },
  {
    id: "slow loris",
    what: "a head, Hixie's eight bytes, or the goodbye after a refusal, that never come",
    places: ["Effect", "ws", "legacy"],
    holds:
      "the handshake timeout covers all three; the `ws` faces leave the head to Node (`headersTimeout`, a minute), and `ws` hangs up after a refusal",
    breaks:
      "upgradeAttempt.ts `selectDraft`, upgradeHandler.ts `refuse`, legacy/upgrade.ts `readKey3`, `refuse`: no timer; listener.ts: no `headersTimeout`; attachment.ts: set the server's `headersTimeout` to 0"
  },
  {
    id: "Node 26 upgrade body",
    what: "node#60016: Node 26 reads the body of an upgrade request itself",
    places: ["Effect", "legacy"],
    holds: "Hixie's eight bytes are found in one packet with the head, and in packets of their own, on every Node",
    breaks: "upgradeAttempt.ts: take the eight bytes out of `head` without waiting for the rest",
    except: "ws: speaks no Hixie-76"
  },
  {
    id: "header floods",
    what: "2 000 and 20 000 headers, one of 60 KiB, and names such as `__proto__`",
    places: ["Effect", "ws", "legacy"],
    holds: "refused, or served when they fit, and the others are served on",
    breaks: "Server.ts `listen`: raise `maxHeaderSize`; look headers up by the caller's names"
  },
  {
    id: "byte by byte",
    what: "a handshake and a message in packets of one byte",
    places: ["Effect", "ws", "legacy"],
    holds: "as in one packet",
    breaks: "hybiDecoder.ts `gatherHeader`: forget the header at the end of a chunk"
  }
]
