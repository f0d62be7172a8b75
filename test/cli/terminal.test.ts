import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Stream } from "effect"
import { Server, Socket } from "effect-ws"
import { once } from "node:events"
import * as net from "node:net"
import { makeCertificate } from "../support/certificate.ts"
import { folder } from "./support/files.ts"
import { original, program } from "./support/program.ts"
import { missing, terminal } from "./support/terminal.ts"

// Each run is a process, which takes its time on a machine that has much to do.

/** A server that echoes, and lets the test talk to its clients. */
const serve = (handle?: (socket: Socket.Socket) => Effect.Effect<unknown, Socket.SocketError>) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ port: 0, host: "127.0.0.1" })
    const clients: Array<Socket.Socket> = []
    yield* Effect.forkScoped(
      server.run((socket) => {
        clients.push(socket)
        return handle?.(socket) ?? Stream.runForEach(socket.messages, socket.send)
      })
    )
    return { url: `ws://127.0.0.1:${server.address.port}/`, clients }
  })

/** Has the server say something to its first client. */
const say = (clients: ReadonlyArray<Socket.Socket>, message: string) =>
  clients[0]?.send(message) ?? Effect.die("no client")

const connected = "Connected (press CTRL+C to quit)"

const shows = (line: string) => (lines: ReadonlyArray<string>) => lines.includes(line)

/** Below this line there is this, and nothing else. */
const below = (line: string, wanted: ReadonlyArray<string>) => (lines: ReadonlyArray<string>) =>
  lines.includes(line) && lines.slice(lines.indexOf(line) + 1).join("\n") === wanted.join("\n")

/** A text on rows of so many columns, as tmux shows them: without blanks at the end. */
const rowsOf = (text: string, columns: number): ReadonlyArray<string> =>
  Array.from({ length: Math.ceil(text.length / columns) }, (_, row) =>
    text.slice(row * columns, (row + 1) * columns).trimEnd()
  )

it("has a terminal to test in", () => {
  assert.isUndefined(missing)
})

describe.skipIf(missing !== undefined)("wscat in a terminal", () => {
  it.live("says that it is connected, shows what is sent and received, and quits with CTRL+C", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const screen = yield* terminal(["-c", url])
      yield* screen.until(shows(">"))
      screen.type("hello")
      screen.press("Enter")
      assert.deepStrictEqual(yield* screen.until(shows("< hello")), [connected, "> hello", "< hello", ">"])
      screen.press("C-c")
      assert.deepStrictEqual(yield* screen.until(shows("exit 0")), [
        connected,
        "> hello",
        "< hello",
        'Disconnected (code: 1000, reason: "")',
        "exit 0"
      ])
    })
  )

  it.live("shows a close reason on one line, and nothing of it as the terminal would take it", () =>
    Effect.gen(function* () {
      const { url } = yield* serve((socket) =>
        socket.close(4000, "a\u009bb\u202ec\u200bd\nConnected (press CTRL+C to quit)")
      )
      const screen = yield* terminal(["-c", url, "-w", "-1"], { columns: 100 })
      const lines = yield* screen.until((lines) => lines.includes("exit 7"))
      const reason = String.raw`a\x9bb\u202ec\u200bd␊Connected (press CTRL+C to quit)`
      assert.include(lines, `Disconnected (code: 4000, reason: "${reason}")`)
      assert.lengthOf(
        lines.filter((line) => line === connected),
        1
      )
    })
  )

  it.live("keeps the line that is being typed below what comes in, however long it is", () =>
    Effect.gen(function* () {
      const { clients, url } = yield* serve()
      const screen = yield* terminal(["-c", url], { columns: 40 })
      yield* screen.until(shows(">"))
      const long = "a line that is longer than the screen is wide, and goes on"
      screen.type(long)
      const [first = "", second = ""] = rowsOf(`> ${long}`, 40)
      yield* screen.until(shows(second))
      for (const message of ["one", "two\nlines", "three"]) yield* say(clients, message)
      const received = ["< one", "< two", "| lines", "< three"]
      assert.deepStrictEqual(yield* screen.until(shows("< three")), [connected, ...received, first, second])
      // Editing goes on where it was.
      screen.press("Left", "BSpace")
      yield* screen.until(shows(second.replace(/.(?=.$)/, "")))
      yield* say(clients, "four")
      yield* screen.until(shows("< four"))
      screen.press("Enter")
      const sent = long.replace(/.(?=.$)/, "")
      const [, end = ""] = rowsOf(sent, 38)
      const echoed = (lines: ReadonlyArray<string>) => lines.at(-1) === ">" && lines.at(-2) === end
      assert.deepStrictEqual(yield* screen.until((lines) => echoed(lines) && shows(`< ${sent.slice(0, 37)}`)(lines)), [
        connected,
        ...received,
        "< four",
        ...rowsOf(`> ${sent}`, 40),
        ...rowsOf(`< ${sent}`, 40),
        ">"
      ])
    })
  )

  it.live("keeps the line when the terminal gets narrower and wider", () =>
    Effect.gen(function* () {
      const { clients, url } = yield* serve()
      const screen = yield* terminal(["-c", url], { columns: 60 })
      yield* screen.until(shows(">"))
      const long = "this line has some sixty-five characters, and so it takes two rows"
      screen.type(long)
      yield* screen.until(shows(`> ${long}`.slice(60)))
      // What stood above, tmux may scroll away.
      yield* screen.resize(30, 20)
      const narrow = rowsOf(`> ${long}`, 30)
      const narrowed = yield* screen.until(shows(narrow.at(-1) ?? ""))
      assert.deepStrictEqual(narrowed.slice(-3), narrow)
      yield* say(clients, "meanwhile")
      assert.deepStrictEqual((yield* screen.until(shows("< meanwhile"))).slice(-4), ["< meanwhile", ...narrow])
      yield* screen.resize(100, 20)
      yield* screen.until(shows(`> ${long}`))
      yield* say(clients, "later")
      const end = ["< meanwhile", "< later", `> ${long}`]
      assert.deepStrictEqual((yield* screen.until(shows("< later"))).slice(-3), end)
    })
  )

  it.live("draws no more of a line than fits on the screen, around the cursor", () =>
    Effect.gen(function* () {
      const { clients, url } = yield* serve()
      const screen = yield* terminal(["-c", url], { columns: 20, rows: 6 })
      yield* screen.until(shows(">"))
      // Rows of twenty characters, with the prompt.
      const rows = Array.from({ length: 12 }, (_, at) => `${at === 0 ? "" : "--"}row ${String(at).padEnd(14, ".")}`)
      screen.type(`${rows.join("")}end`)
      yield* screen.until(shows("end"))
      yield* say(clients, "one")
      yield* screen.until(below("< one", [...rows.slice(9), "end"]))
      screen.press("Home")
      yield* screen.until((lines) => lines.includes(`> ${rows[0]}`))
      yield* say(clients, "two")
      yield* screen.until(below("< two", [`> ${rows[0]}`, ...rows.slice(1, 4)]))
      screen.press("C-k", "h", "i", "Enter")
      yield* screen.until(shows("< hi"))
      assert.deepStrictEqual(screen.screen().slice(-3), ["> hi", "< hi", ">"])
    })
  )

  it.live("sends what is pasted line by line, tabs and all", () =>
    Effect.gen(function* () {
      const received: Array<string> = []
      const all = Deferred.makeUnsafe<void>()
      const { url } = yield* serve((socket) =>
        Stream.runForEach(socket.messages, (message) =>
          Effect.sync(() => {
            received.push(String(message))
            if (received.length === 200) Deferred.doneUnsafe(all, Effect.void)
          })
        )
      )
      const screen = yield* terminal(["-c", url])
      yield* screen.until(shows(">"))
      const lines = Array.from({ length: 200 }, (_, at) => `{\t"line": ${at}, "text": "käse" }`)
      screen.paste(`${lines.join("\n")}\n`)
      yield* Deferred.await(all)
      assert.deepStrictEqual(received, lines)
    })
  )

  it.live("has a history", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const screen = yield* terminal(["-c", url])
      yield* screen.until(shows(">"))
      for (const line of ["first", "second"]) {
        screen.type(line)
        screen.press("Enter")
        yield* screen.until(shows(`< ${line}`))
      }
      screen.press("Up", "Up")
      yield* screen.until((lines) => lines.at(-1) === "> first")
      screen.press("Down")
      yield* screen.until((lines) => lines.at(-1) === "> second")
      screen.press("Enter")
      yield* screen.until((lines) => lines.filter((line) => line === "< second").length === 2)
    })
  )

  it.live("says how the server closed, and ends as it was closed", () =>
    Effect.gen(function* () {
      const { clients, url } = yield* serve()
      const screen = yield* terminal(["-c", url], { columns: 80 })
      yield* screen.until(shows(">"))
      yield* clients[0]?.close(4001, "no more") ?? Effect.die("no client")
      assert.deepStrictEqual(yield* screen.until(shows("exit 7")), [
        connected,
        'Disconnected (code: 4001, reason: "no more")',
        'error: the peer closed with 4001: "no more"',
        "exit 7"
      ])
    })
  )

  it.live("quits with CTRL+D, too, and while it waits for the server", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const screen = yield* terminal(["-c", url])
      yield* screen.until(shows(">"))
      screen.press("C-d")
      yield* screen.until(shows("exit 0"))
      const silent = yield* Effect.acquireRelease(
        Effect.callback<net.Server>((resume) => {
          const server = net.createServer(() => {})
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const { port } = silent.address() as net.AddressInfo
      const accepted = once(silent, "connection")
      const waiting = yield* terminal(["-c", `127.0.0.1:${port}`])
      yield* Effect.promise(() => accepted)
      waiting.press("C-c")
      assert.deepStrictEqual(yield* waiting.until(shows("exit 0")), ["exit 0"])
    })
  )

  it.live("can be stopped with CTRL+Z after a passphrase was asked for, too", () =>
    Effect.gen(function* () {
      const { cert, key } = makeCertificate()
      const file = yield* folder({ "both.pem": cert + key })
      const { url } = yield* serve()
      const shell = yield* terminal([], { shell: true, env: { PS1: "shell$ " }, columns: 200 })
      yield* shell.until((lines) => lines.at(-1)?.startsWith("shell$") === true)
      shell.type(`'${process.execPath}' '${program()}' -c ${url} --cert '${file("both.pem")}' --passphrase`)
      shell.press("Enter")
      yield* shell.until(shows("Passphrase:"))
      shell.press("Enter")
      yield* shell.until(shows(">"))
      shell.press("C-z")
      yield* shell.until((lines) => lines.at(-1)?.startsWith("shell$") === true)
      shell.type("fg")
      shell.press("Enter")
      yield* shell.until((lines) => lines.at(-1) === ">")
      shell.type("back")
      shell.press("Enter")
      yield* shell.until(shows("< back"))
      shell.press("C-c")
      yield* shell.until((lines) => lines.some((line) => line.startsWith("Disconnected (code: 1000")))
    })
  )

  it.live("can be stopped with CTRL+Z, and goes on with the line that was being typed", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const shell = yield* terminal([], { shell: true, env: { PS1: "shell$ " }, columns: 200 })
      yield* shell.until((lines) => lines.at(-1)?.startsWith("shell$") === true)
      shell.type(`'${process.execPath}' '${program()}' -c ${url}; echo "ended $?"`)
      shell.press("Enter")
      yield* shell.until(shows(">"))
      shell.type("half a li")
      yield* shell.until(shows("> half a li"))
      shell.press("C-z")
      yield* shell.until((lines) => lines.at(-1)?.startsWith("shell$") === true)
      shell.type("fg")
      shell.press("Enter")
      yield* shell.until((lines) => lines.at(-1) === "> half a li")
      shell.type("ne")
      shell.press("Enter")
      yield* shell.until(shows("< half a line"))
      shell.press("C-c")
      yield* shell.until((lines) => lines.some((line) => line.startsWith("Disconnected (code: 1000")))
    })
  )

  it.live("shows colours on a terminal, and none with --no-color or NO_COLOR", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const colored = yield* terminal(["-c", url])
      const plain = yield* terminal(["-c", url, "--no-color"])
      const asked = yield* terminal(["-c", url], { env: { NO_COLOR: "1" } })
      for (const screen of [colored, plain, asked]) {
        yield* screen.until(shows(">"))
        screen.type("hello")
        screen.press("Enter")
        yield* screen.until(shows("< hello"))
      }
      const colors = colored.colors()
      assert.include(colors, `\u001B[32m${connected}`)
      assert.include(colors, "\u001B[34m< hello")
      assert.notInclude(plain.colors(), "\u001B[3")
      assert.notInclude(asked.colors(), "\u001B[3")
    })
  )

  it.live("lets nothing that a peer sends touch the terminal", () =>
    Effect.gen(function* () {
      const { clients, url } = yield* serve()
      const screen = yield* terminal(["-c", url])
      yield* screen.until(shows(">"))
      yield* say(clients, "\u001B[2J\u001B[31mred\u0007\rover\u009B1A")
      yield* say(clients, "tab\there")
      yield* clients[0]?.send(Uint8Array.of(0, 1, 0xff)) ?? Effect.die("no client")
      assert.deepStrictEqual(yield* screen.until(shows("< [binary, 3 bytes] 00 01 ff")), [
        connected,
        "< ␛[2J␛[31mred␇␍over\\x9b1A",
        "< tab   here",
        "< [binary, 3 bytes] 00 01 ff",
        ">"
      ])
      yield* clients[0]?.close(4000, "\u001B[2J\u009B1A") ?? Effect.die("no client")
      const end = yield* screen.until(shows("exit 7"))
      assert.include(end, 'Disconnected (code: 4000, reason: "␛[2J\\x9b1A")')
    })
  )

  it.live("knows how wide characters are", () =>
    Effect.gen(function* () {
      const { clients, url } = yield* serve()
      const screen = yield* terminal(["-c", url], { columns: 20 })
      yield* screen.until((lines) => lines.at(-1) === ">")
      screen.type("日本語のテキストです")
      yield* screen.until((lines) => lines.at(-1) === "す")
      yield* say(clients, "x")
      assert.deepStrictEqual((yield* screen.until(shows("< x"))).slice(-3), ["< x", "> 日本語のテキストで", "す"])
      screen.press("Home", "Delete")
      assert.deepStrictEqual((yield* screen.until(shows("> 本語のテキストです"))).slice(-2), [
        "< x",
        "> 本語のテキストです"
      ])
    })
  )

  it.live("has slash commands for frames that are no text", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const screen = yield* terminal(["-c", url, "--slash", "-P"], { columns: 80 })
      yield* screen.until(shows(">"))
      const enter = (line: string) => {
        screen.type(line)
        screen.press("Enter")
      }
      enter("/ping are you there")
      yield* screen.until((lines) =>
        lines.some((line) => /^< Received pong \(data: "are you there"\) after [\d.]+ ms$/.test(line))
      )
      enter("/binary 00 ff")
      yield* screen.until(shows("< [binary, 2 bytes] 00 ff"))
      enter("//slash")
      yield* screen.until(shows("< /slash"))
      enter("/nonsense")
      yield* screen.until((lines) => lines.some((line) => line.startsWith("error: there is no command /nonsense")))
      enter("/close 999")
      yield* screen.until((lines) => lines.some((line) => line.startsWith("error: 999 is no close code")))
      enter("/file /nowhere")
      yield* screen.until((lines) => lines.some((line) => line.startsWith("error: /file: cannot read /nowhere")))
      enter("/help")
      yield* screen.until((lines) => lines.some((line) => line.startsWith("/close [code [reason]]")))
      enter("/close 4000 that is it")
      yield* screen.until(shows("exit 0"))
      assert.include(screen.screen(), 'Disconnected (code: 4000, reason: "")')
    })
  )

  it.live("shows frames as they are on the wire, in both directions", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const screen = yield* terminal(["-c", url, "--frames"], { columns: 80 })
      yield* screen.until(shows(">"))
      screen.type("hello")
      screen.press("Enter")
      yield* screen.until(shows("< hello"))
      screen.press("C-c")
      assert.deepStrictEqual(yield* screen.until(shows("exit 0")), [
        connected,
        "> hello",
        '-> text opcode=1 fin=1 rsv=000 mask=1 length=5 "hello"',
        '<- text opcode=1 fin=1 rsv=000 mask=0 length=5 "hello"',
        "< hello",
        '-> close opcode=8 fin=1 rsv=000 mask=1 length=2 1000 ""',
        '<- close opcode=8 fin=1 rsv=000 mask=0 length=2 1000 ""',
        'Disconnected (code: 1000, reason: "")',
        "exit 0"
      ])
    })
  )

  it.live("listens to several clients, which have numbers, and talks to all or to one", () =>
    Effect.gen(function* () {
      const screen = yield* terminal(["-l", "127.0.0.1:0"], { columns: 80 })
      const listening = /^Listening on port (\d+) \(press CTRL\+C to quit\)$/
      const lines = yield* screen.until((lines) => lines.some((line) => listening.test(line)) && lines.at(-1) === ">")
      const port = lines.flatMap((line) => listening.exec(line)?.[1] ?? [])[0]
      const first = yield* Socket.connect(`ws://127.0.0.1:${port}/`)
      yield* screen.until(shows("Client 1 connected (127.0.0.1)"))
      const second = yield* Socket.connect(`ws://127.0.0.1:${port}/`)
      yield* screen.until(shows("Client 2 connected (127.0.0.1)"))
      yield* first.send("from the first")
      yield* screen.until(shows("[1] < from the first"))
      yield* second.send("from the second")
      yield* screen.until(shows("[2] < from the second"))
      for (const line of ["to all", "/to 2 to the second alone", "/to 3 to nobody", "to all again"]) {
        screen.type(line)
        screen.press("Enter")
      }
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(first.messages, 2)), ["to all", "to all again"])
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(second.messages, 3)), [
        "to all",
        "to the second alone",
        "to all again"
      ])
      yield* screen.until(shows("error: there is no client 3"))
      yield* first.close(4000, "enough")
      yield* screen.until(shows('Client 1 disconnected (code: 4000, reason: "enough")'))
      screen.press("C-c")
      yield* screen.until(shows("exit 0"))
      assert.strictEqual((yield* second.closed).received?.code, 1001)
    })
  )

  it.live("looks as wscat 6.1 does, letter case aside", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const session = (file: string) =>
        Effect.gen(function* () {
          const screen = yield* terminal(["-c", url, "--slash"], { file })
          yield* screen.until((lines) => lines.at(-1) === ">")
          for (const line of ["hello", "two words", "käse"]) {
            screen.type(line)
            screen.press("Enter")
            yield* screen.until((lines) => lines.includes(`< ${line}`) && lines.at(-1) === ">")
          }
          screen.type("/close 4000")
          screen.press("Enter")
          const lines = yield* screen.until((lines) => lines.some((line) => line.startsWith("exit")))
          return lines.map((line) => line.toLowerCase())
        })
      assert.deepStrictEqual(yield* session(program()), yield* session(original))
    })
  )
})
