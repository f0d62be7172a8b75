/** The options, in the groups of the help. */
import type { Group, OptionDefinition } from "./model.ts"

/** What commander takes for the value of an option that may have none: anything that isn't an option. */
const notAnOption = /^(?!-)/

const wholeNumber = /^-?\d+$/

/** What completes itself with `--completions`. */
export const shells = ["bash", "zsh", "fish"] as const

export type Shell = (typeof shells)[number]

export const place: Group = {
  heading: "Where",
  options: [
    {
      name: "connect",
      brief: "talk to a server; -c may be left out",
      short: "c",
      value: "<url>",
      text: "connect to a WebSocket server; without a scheme, by ws://"
    },
    {
      name: "listen",
      brief: "be a server, on a port",
      short: "l",
      value: "<[host:]port>",
      text: "listen on a port, or on a Unix socket by its path"
    },
    { name: "path", value: "<path>", text: "listen: serve this path alone, answer 404 elsewhere" },
    { name: "echo", text: "listen: send every message back to where it came from" },
    {
      name: "script",
      value: "<path>",
      values: "file",
      text: "listen: play the server of a recorded conversation, a file of --record or a HAR file"
    }
  ]
}

export const handshake: Group = {
  heading: "Handshake",
  shared: true,
  options: [
    {
      name: "protocol",
      short: "p",
      value: "<version>",
      values: ["13", "8", "7", "hixie-76"],
      text: "version of the protocol: 13, 8, 7 or hixie-76 (13)",
      listening: "all of them, unless one is named"
    },
    {
      name: "subprotocol",
      brief: "subprotocol; repeat for more",
      short: "s",
      value: "<protocol>",
      repeats: true,
      text: "subprotocol; repeat for more"
    },
    { name: "origin", brief: "the Origin header", short: "o", value: "<origin>", text: "origin to name" },
    { name: "host", value: "<host>", text: "the Host header", listening: "the address to bind" },
    {
      name: "header",
      brief: "HTTP header; repeat for more",
      short: "H",
      value: "<header:value>",
      repeats: true,
      text: "HTTP header to send; repeat for more"
    },
    {
      name: "auth",
      value: "<username:password>",
      text: "basic authentication",
      listening: "demand it"
    },
    { name: "auth-file", value: "<path>", values: "file", text: "the same, from the first line of a file" },
    { name: "cookie", value: "<name=value>", repeats: true, text: "cookie to send; repeat for more" },
    {
      name: "cookie-file",
      value: "<path>",
      values: "file",
      text: "cookies from a file in the format of Netscape and curl"
    },
    { name: "location", short: "L", text: "follow redirects" },
    {
      name: "max-redirects",
      value: "[num]",
      optionalValue: wholeNumber,
      text: "how many redirects are followed (10)"
    },
    { name: "http2", text: "connect over HTTP/2 (RFC 8441)" },
    { name: "compress", text: "offer or accept compression (permessage-deflate)" }
  ]
}

export const transport: Group = {
  heading: "Transport",
  shared: true,
  options: [
    { name: "no-check", brief: "accept any certificate", short: "n", text: "do not check the server's certificate" },
    {
      name: "ca",
      value: "<path>",
      values: "file",
      text: "certificate authority to trust",
      listening: "demand certificates of it of the clients"
    },
    { name: "cert", value: "<path>", values: "file", text: "client certificate", listening: "the server's, for wss" },
    { name: "key", value: "<path>", values: "file", text: "private key of the certificate, unless it stands there" },
    {
      name: "passphrase",
      value: "[passphrase]",
      optionalValue: notAnOption,
      text: "passphrase of the private key; prompted for when left out"
    },
    { name: "passphrase-file", value: "<path>", values: "file", text: "the same, from the first line of a file" },
    { name: "servername", value: "<name>", text: "name that the server's certificate must have" },
    {
      name: "proxy",
      brief: "connect through a proxy",
      value: "<[protocol://]host[:port]>",
      text: 'connect through a proxy: http, https or socks5, with user:password@ where it demands them; "none" ignores HTTPS_PROXY, HTTP_PROXY and ALL_PROXY'
    },
    { name: "open-timeout", value: "<seconds>", text: "how long opening may take (10)" },
    { name: "max-payload", value: "<bytes>", text: "longest message (104857600, which is 100 MiB)" }
  ]
}

export const again: OptionDefinition = {
  name: "retry",
  brief: "connect again when the connection is lost",
  value: "[times]",
  optionalValue: wholeNumber,
  text: "connect again when the server can't be reached or is lost, with growing pauses; for ever without a number"
}

export const againAfterAll: OptionDefinition = {
  name: "retry-all",
  text: "like --retry, and also after close codes 1008 and 4000 to 4999, which are final otherwise"
}

export const messages: Group = {
  heading: "Messages",
  options: [
    {
      name: "execute",
      brief: "send this, instead of reading input",
      short: "x",
      value: "<command>",
      repeats: true,
      text: "send this once connected, instead of reading input; repeat for more"
    },
    {
      name: "init",
      brief: "send this first, then read input",
      value: "<message>",
      repeats: true,
      text: "send this once connected, then read input; repeat for more"
    },
    {
      name: "file",
      value: "<path>",
      values: "file",
      repeats: true,
      text: "send a file as one binary message, after what -x sends"
    },
    {
      name: "text-file",
      value: "<path>",
      values: "file",
      repeats: true,
      text: "the same, as one text message"
    },
    { name: "delay", value: "<duration>", text: "wait so long between messages that are sent: 2, 2s, 500ms" },
    { name: "every", value: "<duration>", text: "repeat what -x, --init and files send at this interval" },
    {
      name: "wait",
      brief: "wait so long before closing",
      short: "w",
      value: "<seconds>",
      text: "wait before closing: so long after -x (2), for so long a silence after the end of the input (0.5); -1, as with --count, holds the connection open"
    },
    { name: "count", value: "<number>", text: "close after this many messages were received" },
    {
      name: "expect",
      brief: "close when this message came; for checks",
      value: "<message>",
      repeats: true,
      text: "close when this message came: JSON that it contains, /pattern/, or its text; several come in this order"
    },
    { name: "within", value: "<duration>", text: "how long --expect waits once connected (10)" },
    { name: "escapes", short: "e", text: "read \\n, \\t, \\xHH, \\uHHHH and the like in -x, --init and the input" },
    { name: "binary", text: "send binary messages" },
    { name: "hex", text: "binary messages in hexadecimal, sent and received" },
    { name: "base64", text: "binary messages in base64, sent and received" },
    { name: "null", short: "0", text: "messages end with a zero byte, not with a line" },
    {
      name: "slash",
      brief: "/ping, /close and other commands",
      text: "slash commands: /ping, /pong, /close, /binary, /file, /help"
    },
    {
      name: "ping",
      brief: "ping at this interval",
      value: "<seconds>",
      text: "ping at this interval; a peer that doesn't answer is lost"
    },
    { name: "pong-timeout", value: "<seconds>", text: "how long the answer to a ping may take (20)" },
    { name: "show-ping-pong", short: "P", text: "show pings and pongs, with the time they took" },
    { name: "close-code", value: "<code>", text: "code to close with (1000)" },
    { name: "close-reason", value: "<reason>", text: "reason to close with" }
  ]
}

export const output: Group = {
  heading: "Output",
  options: [
    {
      name: "json",
      brief: "messages as JSON, in and out",
      text: "one JSON object a line for each message, sent or received; such objects in the input are sent as what they describe"
    },
    {
      name: "record",
      value: "<path>",
      values: "file",
      text: "write all messages to a file for wscat replay; as HAR when its name ends in .har"
    },
    {
      name: "verbose",
      brief: "show the headers of both handshakes",
      short: "v",
      text: "show the headers of both handshakes, and how the connection closed"
    },
    { name: "frames", text: "show each frame as it is on the wire" },
    { name: "pretty", text: "JSON over several lines, on a terminal" },
    {
      name: "decode",
      value: "<format>",
      values: ["msgpack", "cbor", "gzip"],
      text: "show binary messages of this format as text: msgpack, cbor or gzip"
    },
    { name: "timestamps", text: "the time before each message" },
    { name: "no-color", text: "no colors; so does NO_COLOR" }
  ]
}

/** The options that are answered before a command is loaded. */
export const answered: ReadonlyArray<OptionDefinition> = [
  { name: "version", short: "V", text: "print the version" },
  { name: "help", brief: "this help; --help lists everything", short: "h", text: "print this help" },
  { name: "completions", value: "<bash|zsh|fish>", values: shells, text: "print a completion script for a shell" }
]

/** The options that every command has. */
export const general: Group = {
  heading: "General",
  shared: true,
  options: [
    { name: "quiet", short: "q", text: "no status, no notes" },
    { name: "compat", text: "exit codes, words and compression as wscat 6.1 has them" },
    ...answered
  ]
}
