/**
 * The options of the command line as data. Parsing, help, completions and the `effect/cli` command are made from them.
 * This module imports nothing, so that `--help` starts fast.
 */

/** An option. */
export interface OptionDefinition {
  /** The long name, without its dashes. */
  readonly name: string
  /** The short name, one character. */
  readonly short?: string
  /** What stands for its value in the help; without it the option is a switch. */
  readonly value?: string
  /** The value may be left out. What follows is taken for it when it matches. */
  readonly optionalValue?: RegExp
  /** What the value is: a file, or one of these. */
  readonly values?: "file" | ReadonlyArray<string>
  /** May be given more than once. */
  readonly repeats?: boolean
  /** What it does, for the help. */
  readonly text: string
  /** What it does under `--listen`, where that is another thing. */
  readonly listening?: string | undefined
}

/** Options under one heading of the help. */
export interface Group {
  readonly heading: string
  readonly options: ReadonlyArray<OptionDefinition>
}

/** A command: `wscat` itself, or one of its subcommands. */
export interface CommandDefinition {
  /** Absent for `wscat` itself. */
  readonly name?: string
  /** What stands beside the options: what must, then what may. */
  readonly operands?: ReadonlyArray<string>
  /** How many of the operands must be given. */
  readonly required?: number
  readonly usage: ReadonlyArray<string>
  readonly summary: string
  readonly groups: ReadonlyArray<Group>
  /** Command lines to begin with, and what they do. */
  readonly examples: ReadonlyArray<readonly [command: string, what: string]>
}

/** What commander takes for the value of an option that may have none: anything that isn't an option. */
const notAnOption = /^(?!-)/

const wholeNumber = /^-?\d+$/

/** What completes itself with `--completions`. */
export const shells = ["bash", "zsh", "fish"] as const

export type Shell = (typeof shells)[number]

const place: Group = {
  heading: "Where",
  options: [
    { name: "connect", short: "c", value: "<url>", text: "connect to a WebSocket server; without a scheme, by ws://" },
    { name: "listen", short: "l", value: "<[host:]port>", text: "listen on a port, or on a Unix socket by its path" },
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

const handshake: Group = {
  heading: "Handshake",
  options: [
    {
      name: "protocol",
      short: "p",
      value: "<version>",
      values: ["13", "8", "7", "hixie-76"],
      text: "version of the protocol: 13, 8, 7 or hixie-76 (13)",
      listening: "all of them, unless one is named"
    },
    { name: "subprotocol", short: "s", value: "<protocol>", repeats: true, text: "subprotocol; repeat for more" },
    { name: "origin", short: "o", value: "<origin>", text: "origin to name" },
    { name: "host", value: "<host>", text: "the Host header", listening: "the address to bind" },
    {
      name: "header",
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

const transport: Group = {
  heading: "Transport",
  options: [
    { name: "no-check", short: "n", text: "do not check the server's certificate" },
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
      value: "<[protocol://]host[:port]>",
      text: 'connect through a proxy: http, https or socks5, with user:password@ where it demands them; "none" ignores HTTPS_PROXY, HTTP_PROXY and ALL_PROXY'
    },
    { name: "open-timeout", value: "<seconds>", text: "how long opening may take (10)" },
    { name: "max-payload", value: "<bytes>", text: "longest message (104857600, which is 100 MiB)" }
  ]
}

const again: OptionDefinition = {
  name: "retry",
  value: "[times]",
  optionalValue: wholeNumber,
  text: "connect again when the server can't be reached or is lost, with growing pauses; for ever without a number"
}

const againAfterAll: OptionDefinition = {
  name: "retry-all",
  text: "like --retry, and also after close codes 1008 and 4000 to 4999, which are final otherwise"
}

const messages: Group = {
  heading: "Messages",
  options: [
    {
      name: "execute",
      short: "x",
      value: "<command>",
      repeats: true,
      text: "send this once connected, instead of reading input; repeat for more"
    },
    {
      name: "init",
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
      short: "w",
      value: "<seconds>",
      text: "wait before closing: so long after -x (2), for so long a silence after the end of the input (0.5); -1, as with --count, holds the connection open"
    },
    { name: "count", value: "<number>", text: "close after this many messages were received" },
    {
      name: "expect",
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
      text: "slash commands: /ping, /pong, /close, /binary, /file, /help"
    },
    { name: "ping", value: "<seconds>", text: "ping at this interval; a peer that doesn't answer is lost" },
    { name: "pong-timeout", value: "<seconds>", text: "how long the answer to a ping may take (20)" },
    { name: "show-ping-pong", short: "P", text: "show pings and pongs, with the time they took" },
    { name: "close-code", value: "<code>", text: "code to close with (1000)" },
    { name: "close-reason", value: "<reason>", text: "reason to close with" }
  ]
}

const output: Group = {
  heading: "Output",
  options: [
    {
      name: "json",
      text: "one JSON object a line for each message, sent or received; such objects in the input are sent as what they describe"
    },
    {
      name: "record",
      value: "<path>",
      values: "file",
      text: "write all messages to a file for wscat replay; as HAR when its name ends in .har"
    },
    { name: "verbose", short: "v", text: "show the headers of both handshakes, and how the connection closed" },
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
  { name: "help", short: "h", text: "print this help" },
  { name: "completions", value: "<bash|zsh|fish>", values: shells, text: "print a completion script for a shell" }
]

/** The options that every command has. */
const general: Group = {
  heading: "General",
  options: [
    { name: "quiet", short: "q", text: "no status, no notes" },
    { name: "compat", text: "exit codes, words and compression as wscat 6.1 has them" },
    ...answered
  ]
}

const wscat: CommandDefinition = {
  usage: [
    "wscat [options] (<url> | --connect <url> | --listen <port>)",
    "wscat bench [options] <url>",
    "wscat doctor [options] <url>",
    "wscat proxy [options] --listen <port> --to <url>",
    "wscat replay [options] <file> [<url>]",
    "wscat curl '<curl command>' [options]"
  ],
  summary: "Talk to a WebSocket server, or be one, on a terminal or in a pipe.",
  groups: [
    place,
    handshake,
    { ...transport, options: [...transport.options, again, againAfterAll] },
    messages,
    output,
    general
  ],
  examples: [
    ["wscat -c wss://example.com/chat", "talk to a server"],
    ["wscat -l 8080 --echo", "be a server that echoes"],
    ["wscat -c localhost:8080 -x hello -w 1", "say hello, wait a second for answers"],
    ["wscat -c localhost:8080 < lines.txt", "send each line, then close"],
    ["wscat -c localhost:8080 --frames -p 8", "see the frames of version 8"]
  ]
}

/** The options of a subcommand about how to connect: those of `wscat` under the same names. */
const connecting = [handshake, transport].map(({ heading, options }): Group => ({
  heading,
  options: options.map((option) => ({ ...option, listening: undefined }))
}))

const bench: CommandDefinition = {
  name: "bench",
  operands: ["url"],
  required: 1,
  usage: ["wscat bench [options] <url>"],
  summary: "Measure an echo server: throughput, and how long its answers take.",
  groups: [
    {
      heading: "Load",
      options: [
        { name: "connections", value: "<number>", text: "connections at once (10)" },
        { name: "outstanding", value: "<number>", text: "messages under way on each (1)" },
        { name: "size", value: "<bytes>", text: "size of a message (32)" },
        { name: "duration", value: "<seconds>", text: "how long to measure (10)" },
        { name: "warmup", value: "<seconds>", text: "how long to run before that (1)" },
        { name: "ramp", value: "<seconds>", text: "open the connections over this time, not as fast as possible" },
        {
          name: "rate",
          value: "<number>",
          text: "messages a second on all connections, whatever comes back, instead of --outstanding"
        },
        { name: "any", text: "take any message for an answer, from a server that is no echo" },
        { name: "report", value: "<path>", values: "file", text: "write a page with pictures (HTML)" },
        { name: "binary", text: "send binary messages" },
        { name: "json", text: "print the result as a JSON object" }
      ]
    },
    ...connecting,
    general
  ],
  examples: [["wscat bench localhost:8080", "ten connections for ten seconds"]]
}

const doctor: CommandDefinition = {
  name: "doctor",
  operands: ["url"],
  required: 1,
  usage: ["wscat doctor [options] <url>"],
  summary: "Look at a WebSocket server step by step, and say in plain words what is wrong.",
  groups: [
    {
      heading: "Output",
      options: [
        { name: "json", text: "print each finding as a JSON object" },
        { name: "no-color", text: "no colors; so does NO_COLOR" }
      ]
    },
    ...connecting,
    general
  ],
  examples: [["wscat doctor wss://example.com/chat", "see what is wrong with a server"]]
}

const proxy: CommandDefinition = {
  name: "proxy",
  usage: ["wscat proxy [options] --listen <port> --to <url>"],
  summary: "Stand between clients and a server, and show what both send. Each side may speak a draft of its own.",
  groups: [
    {
      heading: "Where",
      options: [
        {
          name: "listen",
          short: "l",
          value: "<[host:]port>",
          text: "listen on a port, or on a Unix socket by its path"
        },
        {
          name: "to",
          value: "<url>",
          text: "the server to connect clients to; without a path, at the path that the client asked for"
        }
      ]
    },
    {
      heading: "Output",
      options: [
        { name: "json", text: "one JSON object a line for each message" },
        {
          name: "record",
          value: "<path>",
          values: "file",
          text: "write all messages to a file; as HAR when it ends in .har"
        },
        { name: "pretty", text: "JSON over several lines" },
        { name: "timestamps", text: "the time before each message" },
        { name: "no-color", text: "no colors; so does NO_COLOR" }
      ]
    },
    ...connecting,
    general
  ],
  examples: [["wscat proxy -l 8080 --to ws://host", "watch both sides"]]
}

const replay: CommandDefinition = {
  name: "replay",
  operands: ["file", "url"],
  required: 1,
  usage: ["wscat replay [options] <file> [<url>]"],
  summary:
    "Send what a recorded conversation has sent, with its timing, and show how the answers differ: + is new, - is missing.",
  groups: [
    {
      heading: "Replay",
      options: [
        { name: "speed", value: "<factor>", text: "how much faster than the original (1)" },
        { name: "fast", text: "do not wait for the original times, but for the answers before each message" },
        {
          name: "ignore",
          value: "<names>",
          repeats: true,
          text: "leave these members of JSON messages out of the comparison"
        },
        { name: "wait", short: "w", value: "<seconds>", text: "silence after which no more answers are expected (2)" },
        { name: "no-color", text: "no colors; so does NO_COLOR" }
      ]
    },
    ...connecting,
    general
  ],
  examples: [["wscat replay talk.jsonl localhost:8080", "say it again, elsewhere"]]
}

/** `wscat` first, then its subcommands. */
export const commandDefinitions: readonly [
  main: CommandDefinition,
  bench: CommandDefinition,
  doctor: CommandDefinition,
  proxy: CommandDefinition,
  replay: CommandDefinition
] = [wscat, bench, doctor, proxy, replay]

/** All options of a command. */
export const optionsOf = (verb: CommandDefinition): ReadonlyArray<OptionDefinition> =>
  verb.groups.flatMap(({ options }) => options)
