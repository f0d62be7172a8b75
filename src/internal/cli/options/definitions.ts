/**
 * The options of the command line as data. Parsing, help, completions and the `effect/cli` command are made from them.
 * This module imports nothing, so that `--help` starts fast.
 */

import { again, againAfterAll, general, handshake, messages, output, place, transport } from "./groups.ts"
import type { CommandDefinition, Group, OptionDefinition } from "./model.ts"

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
const connecting = [handshake, transport].map(({ heading, options, shared = true }): Group => ({
  heading,
  shared,
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
