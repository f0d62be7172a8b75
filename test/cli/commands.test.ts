import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Runtime, Stream } from "effect"
import { CliError, Command, Completions } from "effect/cli"
import { Handshake, Server } from "effect-ws"
import * as Cli from "effect-ws/Cli"
import { execFileSync, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { PassThrough } from "node:stream"
import { commandDefinitions, optionsOf } from "../../src/internal/cli/options/definitions.ts"
import { makeCertificate } from "../support/certificate.ts"
import { folder } from "./support/files.ts"
import { program, wscat } from "./support/program.ts"
import { serve, serveTcp, serveWs } from "./support/server.ts"

// Each run is a process, which takes its time on a machine that has much to do.

const textOf = (stream: PassThrough): string => String(stream.read() ?? "")

/** Streams that keep what is written to them. */
const recorder = (input = "") => {
  const [output, errors] = [new PassThrough(), new PassThrough()]
  const streams: Cli.CliStreams = { input: PassThrough.from([Buffer.from(input)]), output, errors, env: {} }
  return { streams, output: () => textOf(output), errors: () => textOf(errors) }
}

/** The exit code, the output and the errors. */
const run = (...argv: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const recorded = recorder()
    const code = yield* Effect.provideService(Cli.run(argv), Cli.Streams, recorded.streams)
    return [code, recorded.output(), recorded.errors()] as const
  }).pipe(Effect.provide(NodeServices.layer))

describe("wscat as a command among others", () => {
  const parent = Command.make("app").pipe(Command.withSubcommands([Cli.command]))
  const app = Command.runWith(parent, { version: "1.0.0", renderErrors: false })

  it.live("talks through the streams that it is given", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const recorded = recorder("hello\n")
      yield* app(["wscat", "--connect", url, "--count", "1", "--wait=-1"]).pipe(
        Effect.provideService(Cli.Streams, recorded.streams),
        Effect.provide(NodeServices.layer)
      )
      assert.strictEqual(recorded.output(), "hello\n")
    })
  )

  it.live("fails with an error that knows its exit code, and what to tell a person", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(app(["wscat", "--connect", "127.0.0.1:1"])).pipe(
        Effect.provide(NodeServices.layer)
      )
      assert.instanceOf(error, Cli.WscatError)
      assert.strictEqual(Runtime.getErrorExitCode(error), Cli.exitCode.unreachable)
      assert.match(CliError.getUserMessage(error) ?? "", /^error: cannot connect to 127\.0\.0\.1:1: .*\(hint: /)
    })
  )

  it("knows every option of the help, by both of its names", () => {
    const general = new Set(["help", "version", "completions"])
    const descriptor = Completions.fromCommand(Cli.command)
    for (const verb of commandDefinitions) {
      const described = [descriptor, ...descriptor.subcommands].find(({ name }) => name === (verb.name ?? "wscat"))
      const known = described?.flags.map(({ aliases, name }) => [name, ...aliases].join(" ")).toSorted()
      const listed = optionsOf(verb)
        .filter(({ name }) => !general.has(name))
        .map(({ name, short }) => (short === undefined ? name : `${name} ${short}`))
        .toSorted()
      assert.deepStrictEqual(known, listed)
    }
  })
})

describe("wscat as a program inside another", () => {
  it.live("succeeds with the exit code, and writes one line for an error", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      assert.deepStrictEqual(yield* run(url, "-x", "-hello", "--count", "1", "-w", "-1"), [0, "-hello\n", ""])
      const [code, output, errors] = yield* run("--nonsense")
      assert.deepStrictEqual([code, output], [Cli.exitCode.usage, ""])
      assert.match(errors, /^error: there is no option --nonsense .*\n$/)
      const [, help] = yield* run("--help")
      assert.match(help, /^Usage: wscat/)
    })
  )
})

/** Whether a program is installed. */
const has = (program: string): boolean => spawnSync(program, ["--version"]).error === undefined

describe("completions", () => {
  it.live("are scripts for bash, zsh and fish that complete options and subcommands", () =>
    Effect.gen(function* () {
      for (const shell of ["bash", "zsh", "fish"]) {
        const { code, errors, output } = yield* wscat(["--completions", shell])
        assert.deepStrictEqual([code, errors], [0, ""])
        for (const word of ["connect", "show-ping-pong", "hixie-76", "bench", "doctor"]) assert.include(output, word)
      }
    })
  )

  it.live("work in bash", () =>
    Effect.gen(function* () {
      const { output } = yield* wscat(["--completions", "bash"])
      const file = yield* folder({ completions: output })
      const complete = (line: string) => {
        const words = line.split(" ")
        const script = [
          `source ${file("completions")}`,
          `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}`,
          `COMP_LINE='${line}'; COMP_POINT=${line.length}`,
          `$(complete -p wscat | sed 's/.*-F \\([^ ]*\\).*/\\1/') wscat '${words.at(-1)}' '${words.at(-2)}'`,
          'printf "%s\\n" "${COMPREPLY[@]}"'
        ]
        return execFileSync("bash", ["-c", script.join("\n")], { encoding: "utf8" }).split(/\s+/)
      }
      assert.deepStrictEqual(complete("wscat --conn"), ["--connect", ""])
      assert.deepStrictEqual(complete("wscat ben"), ["bench", ""])
      assert.deepStrictEqual(complete("wscat -p hix"), ["hixie-76", ""])
      assert.deepStrictEqual(complete("wscat -p = hix"), ["hixie-76", ""])
      assert.deepStrictEqual(complete(`wscat --ca ${file("compl")}`), [file("completions"), ""])
      // What may be given more than once is offered again, and what stands for a value is not taken for an option.
      assert.deepStrictEqual(complete("wscat -H a:b --hea"), ["--header", ""])
      assert.deepStrictEqual(complete("wscat -x --b"), ["", ""])
      assert.deepStrictEqual(complete("wscat bench x --conn"), ["--connections", ""])
      assert.deepStrictEqual(complete("wscat doctor x --vers"), ["--version", ""])
    })
  )

  it.live.skipIf(!has("zsh"))("are understood by zsh", () =>
    Effect.gen(function* () {
      const { output } = yield* wscat(["--completions", "zsh"])
      const file = yield* folder({ _wscat: output })
      execFileSync("zsh", ["-f", "-n", file("_wscat")])
      // Loaded by the completion system, it is what completes the program.
      const script = `fpath=(${file("")} $fpath); autoload -U compinit; compinit -u -D; print $_comps[wscat]`
      assert.strictEqual(execFileSync("zsh", ["-f", "-c", script], { encoding: "utf8" }), "_wscat\n")
    })
  )

  it.live.skipIf(!has("fish"))("work in fish", () =>
    Effect.gen(function* () {
      const { output } = yield* wscat(["--completions", "fish"])
      const file = yield* folder({ "wscat.fish": output })
      const complete = (line: string) =>
        execFileSync("fish", ["--no-config", "-c", `source ${file("wscat.fish")}; complete -C '${line}'`], {
          encoding: "utf8"
        })
          .trim()
          .split("\n")
          .map((candidate) => candidate.split("\t")[0])
      assert.deepStrictEqual(complete("wscat --conn"), ["--connect"])
      assert.deepStrictEqual(complete("wscat be"), ["bench"])
      assert.deepStrictEqual(complete("wscat -p hi"), ["hixie-76"])
      assert.deepStrictEqual(complete("wscat bench --conn"), ["--connections"])
      assert.deepStrictEqual(complete("wscat -H a:b --hea"), ["--header"])
    })
  )

  it.live("are for shells that are known", () =>
    Effect.gen(function* () {
      const { code, errors } = yield* wscat(["--completions", "tcsh"])
      assert.strictEqual(errors, "error: there are no completions for tcsh (hint: there are for bash, zsh, fish)\n")
      assert.strictEqual(code, 2)
    })
  )
})

describe("wscat bench", () => {
  it.live("measures an echo server, and draws what it measured", () =>
    Effect.gen(function* () {
      const { port } = yield* serve()
      const load = ["--connections", "3", "--outstanding", "5", "--size", "100", "--duration", "0.5", "--warmup", "0.1"]
      const drawn = yield* wscat(["bench", `127.0.0.1:${port}`, ...load])
      assert.deepStrictEqual([drawn.code, drawn.errors], [0, ""])
      assert.match(drawn.output, /^3 connections, 5 outstanding, 100 bytes, 0\.5 s$/m)
      assert.match(drawn.output, /^throughput +[\d,]+ messages\/s, [\d.]+ [kM]?B\/s each way$/m)
      assert.match(
        drawn.output,
        /^latency +p50 [\d.]+ ms +p90 [\d.]+ ms +p99 [\d.]+ ms +p99\.9 [\d.]+ ms +max [\d.]+ ms$/m
      )
      assert.match(drawn.output, /^ +≤ [\d.]+ ms +[\d,]+ #+$/m)
      for (const line of drawn.output.split("\n")) assert.isAtMost(line.length, 110)
      const measured = yield* wscat(["bench", `127.0.0.1:${port}`, ...load, "--binary", "--json"])
      const result = JSON.parse(measured.output)
      assert.deepInclude(result, { connections: 3, outstanding: 5, size: 100 })
      assert.isAbove(result.messages, 100)
      assert.approximately(result.messagesPerSecond / (result.messages / result.seconds), 1, 0.01)
      assert.isAtMost(result.latency.p50, result.latency.p99)
      assert.isAtMost(result.latency.p99, result.latency.max)
    })
  )

  it.live("says what is wrong with a server that doesn't echo, refuses, or goes away", () =>
    Effect.gen(function* () {
      const load = ["--connections", "1", "--duration", "0.2", "--warmup", "0.1"]
      const silent = yield* serve((socket) => Stream.runDrain(socket.messages))
      const unanswered = yield* wscat(["bench", silent.url, ...load])
      assert.match(unanswered.errors, /^error: no message came back \(hint: bench needs a server that sends/)
      assert.strictEqual(unanswered.code, 7)
      assert.strictEqual((yield* wscat(["bench", "127.0.0.1:1", ...load])).code, 3)
      const leaving = yield* serve((socket) => socket.close(1013))
      assert.match((yield* wscat(["bench", leaving.url, ...load])).errors, /closed/)
      const refusing = yield* serve(undefined, { maxMessageSize: 10 })
      const tooLong = yield* wscat(["bench", refusing.url, ...load])
      assert.match(tooLong.errors, /^error: the peer closed with 1009 \(message too big\)/)
      assert.strictEqual(tooLong.code, 7)
      const unused = yield* wscat(["bench", silent.url, "--connections", "0"])
      assert.strictEqual(unused.code, 2)
    })
  )
})

describe("wscat bench, on servers that are no plain echo", () => {
  const load = ["--connections", "2", "--duration", "0.3", "--warmup", "0.1", "--json"]
  const measure = (url: string, ...args: ReadonlyArray<string>) => wscat(["bench", url, ...load, ...args])

  it.live("counts the echoes of its own messages alone, also as binary messages", () =>
    Effect.gen(function* () {
      let received = 0
      const { url } = yield* serveWs((socket) =>
        socket.on("message", (data: Buffer) => {
          received++
          socket.send(data, { binary: true })
          socket.send("x".repeat(data.length))
        })
      )
      const { code, output } = yield* measure(url)
      const result = JSON.parse(output)
      assert.strictEqual(code, 0)
      assert.isAbove(result.messages, 0)
      assert.isAtMost(result.messages, received)
      assert.isAbove(result.otherMessages, 0)
    })
  )

  it.live("says that the server is no echo, unless any message counts", () =>
    Effect.gen(function* () {
      const { url } = yield* serveWs((socket) => socket.on("message", () => socket.send("another")))
      const strict = yield* measure(url)
      assert.match(strict.errors, /^error: the server is no echo: .* \(hint: --any takes any message/)
      assert.strictEqual(strict.code, 7)
      assert.isAbove(JSON.parse((yield* measure(url, "--any")).output).messages, 0)
    })
  )

  it.live("keeps a rate, opens connections over a time, and writes a page; no password is shown", () =>
    Effect.gen(function* () {
      const { port } = yield* serve()
      const file = yield* folder()
      const url = `ws://user:secret@127.0.0.1:${port}/`
      const args = ["--rate", "200", "--ramp", "0.2", "--duration", "2.2", "--report", file("report.html")]
      const { code, output } = yield* measure(url, ...args)
      const result = JSON.parse(output)
      assert.strictEqual(code, 0)
      assert.strictEqual(result.rate, 200)
      assert.approximately(result.messagesPerSecond, 200, 40)
      assert.lengthOf(result.perSecond, 2)
      const page = readFileSync(file("report.html"), "utf8")
      assert.match(page, /<svg[^]*<polyline[^]*<\/html>\n$/)
      for (const text of [output, page, (yield* wscat(["bench", url, "--duration", "0.1"])).output]) {
        assert.include(text, `ws://127.0.0.1:${port}/`)
        assert.notInclude(text, "secret")
      }
    })
  )
})

describe("wscat doctor", () => {
  interface Finding {
    readonly step: string
    readonly verdict: string
    readonly text: string
    readonly hint?: string
  }

  const examine = (url: string, ...args: ReadonlyArray<string>) =>
    Effect.map(wscat(["doctor", url, "--json", ...args]), ({ code, output }) => {
      const findings: ReadonlyArray<Finding> = output
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
      return { code, of: (step: string) => findings.filter((finding) => finding.step === step) }
    })

  it.live("finds nothing wrong where nothing is", () =>
    Effect.gen(function* () {
      const { port } = yield* serve(undefined, { drafts: Handshake.all, protocols: ["chat"], compression: true })
      const { code, of } = yield* examine(`localhost:${port}`, "-s", "chat")
      assert.strictEqual(code, 0)
      for (const [step, text] of [
        ["name", /^localhost is .*127\.0\.0\.1/],
        ["connection", /answers$/],
        ["handshake", /version 13/],
        ["subprotocol", /^chat$/],
        ["compression", /^permessage-deflate; /],
        ["ping", /^3 pings took/],
        ["close", /answers a close frame, with 1000/]
      ] as const) {
        assert.strictEqual(of(step)[0]?.verdict, "ok", step)
        assert.match(of(step)[0]?.text ?? "", text)
      }
      assert.deepStrictEqual(
        of("draft").map(({ text }) => text),
        [
          "the server also speaks version 8 (hybi-08)",
          "the server also speaks version 7 (hybi-07)",
          "the server also speaks Hixie-76"
        ]
      )
      const page = yield* wscat(["doctor", `127.0.0.1:${port}`, "-s", "chat"])
      assert.match(page.output, /\nAll is well\.\n$/)
    })
  )

  it.live("says in plain words what is wrong, and exits as connecting would", () =>
    Effect.gen(function* () {
      const refused = yield* examine("127.0.0.1:1")
      assert.match(refused.of("connection")[0]?.hint ?? "", /nothing listens there/)
      assert.strictEqual(refused.code, 3)
      const unknown = yield* examine("wscat.invalid")
      assert.strictEqual(unknown.of("name")[0]?.verdict, "problem")
      const { port } = yield* serve(undefined, { path: "/chat", drafts: [Handshake.hybi08] })
      const lost = yield* examine(`127.0.0.1:${port}/elsewhere`, "-p", "8")
      assert.match(lost.of("handshake")[0]?.hint ?? "", /no WebSocket at this path/)
      assert.strictEqual(lost.code, 4)
      const older = yield* examine(`127.0.0.1:${port}/chat`, "-s", "chat")
      assert.match(older.of("handshake")[0]?.hint ?? "", /speaks version 8; -p/)
      assert.strictEqual(older.of("draft")[0]?.text, "the server speaks version 8 (hybi-08)")
      assert.match(older.of("advice")[0]?.text ?? "", /^try -p 8$/)
      const without = yield* examine(`127.0.0.1:${port}/chat`, "-p", "8", "-s", "chat")
      assert.match(without.of("subprotocol")[0]?.text ?? "", /has none of chat/)
      const page = yield* serveTcp((socket) => socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\n\r\n")))
      const plain = yield* examine(`127.0.0.1:${page}`)
      assert.match(plain.of("handshake")[0]?.hint ?? "", /a web page is here/)
      assert.deepStrictEqual(
        plain.of("draft").map(({ text }) => text),
        ["not version 8 (hybi-08), version 7 (hybi-07) and Hixie-76: the same"]
      )
      const wrong = yield* wscat(["doctor", `127.0.0.1:1`])
      assert.match(
        wrong.output,
        /^problem +connection +cannot connect.*\n +nothing listens there.*\n\nOne problem\.\n$/m
      )
      assert.strictEqual(wrong.errors, "")
    })
  )

  it.live("distinguishes an open connection that is closed from a refusal", () =>
    Effect.gen(function* () {
      const closing = yield* serveWs((socket) => socket.close(4401, "no token"))
      const closed = yield* examine(closing.url)
      assert.strictEqual(closed.of("handshake")[0]?.verdict, "ok")
      assert.match(closed.of("close")[0]?.text ?? "", /accepted the handshake, then closed .* with 4401: "no token"$/)
      assert.strictEqual(closed.code, 7)
      const refusing = yield* serveTcp((socket) =>
        socket.once("data", () => socket.end("HTTP/1.1 403 Forbidden\r\nX-Reason: none\r\nContent-Length: 0\r\n\r\n"))
      )
      const refused = yield* examine(`127.0.0.1:${refusing}`)
      assert.strictEqual(refused.of("handshake")[0]?.verdict, "problem")
      assert.match(refused.of("response")[0]?.text ?? "", /^403 Forbidden\nx-reason: none\n/)
      assert.strictEqual(refused.code, 4)
    })
  )

  it.live("tries the origin of the server's own pages, and names Host where that is refused", () =>
    Effect.gen(function* () {
      const origins: Array<string | undefined> = []
      const { url } = yield* serveWs(() => {}, {
        verifyClient: ({ origin }: { origin: string | undefined }) => {
          origins.push(origin)
          return origin === undefined
        }
      })
      const { code, of } = yield* examine(url)
      assert.include(origins, new URL(url.replace("ws", "http")).origin)
      assert.strictEqual(of("handshake")[0]?.verdict, "ok")
      assert.strictEqual(of("origin")[0]?.verdict, "problem")
      assert.match(of("origin")[0]?.hint ?? "", /must pass Host on/)
      assert.strictEqual(code, 4)
      const open = yield* serve()
      assert.strictEqual((yield* examine(open.url)).of("origin")[0]?.verdict, "ok")
    })
  )

  it.live("looks at TLS, and beyond a certificate that isn't trusted", () =>
    Effect.gen(function* () {
      const certificate = makeCertificate()
      const server = yield* Server.make({ port: 0, host: "127.0.0.1", tls: certificate })
      yield* Effect.forkScoped(server.run((socket) => socket.closed))
      const url = `wss://localhost:${server.address.port}`
      const { code, of } = yield* examine(url)
      assert.match(of("tls")[0]?.text ?? "", /^TLSv1\.3, /)
      assert.match(of("certificate")[0]?.text ?? "", /^of localhost by localhost, .*: it is signed by itself$/)
      assert.strictEqual(of("handshake")[0]?.verdict, "ok")
      assert.strictEqual(code, 5)
      const file = yield* folder({ "cert.pem": certificate.cert })
      const trusting = yield* examine(url, "--ca", file("cert.pem"))
      // The certificate of the test is good for two days.
      assert.match(trusting.of("certificate")[0]?.text ?? "", /it expires in 1 days/)
      assert.strictEqual(trusting.code, 0)
      assert.strictEqual((yield* examine(url, "-n")).code, 0)
    })
  )
})

describe("the package", () => {
  it("has the program, and all that it needs", () => {
    const { bin, files } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
    assert.deepStrictEqual(bin, { wscat: "./bin/wscat.js" })
    assert.includeMembers(files, ["bin", "dist"])
    const run = spawnSync(program(), ["--version"], { encoding: "utf8" })
    assert.match(run.stdout + run.stderr, /^\d+\.\d+\.\d+/m, "the program is executable")
  })
})
