/** Bytes that fuzzing begins with: examples of the standards, edges of the formats, and what once broke something. */

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex")

/** Frames, as a client or a server sends them (RFC 6455 §5.7 and RFC 7692 §7.2.3 among them). */
export const frameSeeds: ReadonlyArray<Buffer> = [
  hex("81 05 48656c6c6f"),
  hex("81 85 37fa213d 7f9f4d5158"),
  hex("01 03 48656c 80 02 6c6f"),
  hex("89 05 48656c6c6f 8a 85 37fa213d 7f9f4d5158"),
  hex("82 7e 0100 00"),
  hex("82 7f 0000000000010000 00"),
  hex("82 ff 7fffffffffffffff 00000000"),
  hex("82 ff 8000000000000000 00000000"),
  hex("88 00"),
  hex("88 02 03e8"),
  hex("88 82 00000000 03e8"),
  hex("88 07 03e9 676f6e6521"),
  hex("88 01 03"),
  hex("88 04 03e8 c328"),
  hex("c1 07 f248cdc9c90700"),
  hex("41 03 f248cd 80 04 c9c90700"),
  hex("c1 0b 000500faff48656c6c6f00"),
  hex("c1 08 f348cdc9c9070000"),
  hex("c1 0d f248050000 00ffff cac9c90700"),
  hex("c1 05 f2001100 00"),
  hex("c1 00"),
  hex("81 04 f0908080 81 03 eda080 81 02 c0af"),
  hex("01 01 ce 89 00 80 01 ba"),
  hex("01 00 00 00 00 00 80 00"),
  hex("81 7e 0005 48656c6c6f"),
  hex("81 fe 007d 01020304"),
  hex("8b 00"),
  hex("09 00"),
  hex("89 7e 007e"),
  hex("00 00"),
  hex("01 01 61 01 01 62")
]

/** Frames of Hixie-76. */
export const hixieSeeds: ReadonlyArray<Buffer> = [
  hex("00 48656c6c6f ff"),
  hex("00 ff"),
  hex("ff 00"),
  hex("00 c3a9 ff ff 00"),
  hex("80 05 48656c6c6f 00 61 ff"),
  hex("80 81 00"),
  hex("80 ff ff ff ff ff ff ff ff ff 7f"),
  hex("80 80 80 80 80 80 80 80 00"),
  hex("01 616263 ff 00 64 ff"),
  hex("ff 01 61"),
  hex("00 c3 ff"),
  hex("00 f0908080 ff")
]

/** Values of `Sec-WebSocket-Extensions`. */
export const extensionSeeds: ReadonlyArray<string> = [
  "permessage-deflate",
  "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
  "permessage-deflate; client_max_window_bits=15; server_no_context_takeover, permessage-deflate",
  'permessage-deflate;server_max_window_bits="9"',
  "permessage-deflate; server_max_window_bits=99",
  "foo, bar; baz=2",
  'a; b="\\c\\d"',
  'a; b="',
  "a;;b",
  ", a",
  "a ,b\t;\tc = d",
  "constructor; __proto__=toString"
]

/** Values of `Sec-WebSocket-Protocol`. */
export const protocolSeeds: ReadonlyArray<string> = [
  "chat",
  "chat, superchat",
  "a,a",
  "a ,b",
  " a",
  "a,",
  "a,,b",
  "é",
  "__proto__"
]

/** Values of the other headers of a handshake. */
export const headerSeeds: ReadonlyArray<string> = [
  "websocket",
  "WebSocket",
  "Upgrade",
  "keep-alive, Upgrade",
  "13",
  "8",
  "7",
  "0",
  "dGhlIHNhbXBsZSBub25jZQ==",
  "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
  "4 @1  46546xW%0l 1 5",
  "12998 5 Y3 1  .P00",
  "example.com",
  "example.com:80",
  "[::1]:8080",
  "http://example.com",
  "https://example.com:443",
  "ws://example.com/demo",
  "null",
  ""
]

/** Addresses as headers of proxies have them. */
export const addressSeeds: ReadonlyArray<string> = [
  "192.0.2.1",
  "192.0.2.1:4711",
  "2001:db8::1",
  "[2001:db8::1]:443",
  '"[2001:db8:cafe::17]:4711"',
  "fe80::1%eth0",
  "::ffff:192.0.2.1",
  "::ffff:c000:201",
  "::ffff:1",
  "::1.2.3.4",
  "1::",
  "for=192.0.2.60;proto=http;by=203.0.113.43",
  'For="[2001:db8:cafe::17]:4711"',
  'for="',
  "for=_hidden",
  "unknown",
  " , ",
  ""
]

/** Values of `traceparent`. */
export const traceSeeds: ReadonlyArray<string> = [
  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
  "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-is-new",
  "00-00000000000000000000000000000000-b7ad6b7169203331-01",
  "ff-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"
]
