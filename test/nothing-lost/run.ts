// A whole run: a server process, a process of clients, drains and restarts under load, and what came of it.
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { isWhole, judgeAll, type Verdict } from "./ledger.ts"
import type {
  ClientsOrder,
  ClientsReport,
  FromClients,
  FromServer,
  Plant,
  ServerName,
  ServerOrder,
  ServerReport,
  ToClients,
  ToServer
} from "./protocol.ts"

export interface RunOptions {
  readonly server: ServerName
  readonly connections: number
  /** Times that the server is drained and another takes its place, before the drain at the end. */
  readonly restarts: number
  /** Milliseconds of talk, between two drains. */
  readonly talk: number
  /** Messages that arrive in each direction before each drain, at least: the talk lasts longer where they take longer. Default 0. */
  readonly exchange?: number | undefined
  /** Messages a second, in each direction. */
  readonly rate: number
  readonly largeMessages: number
  /** Milliseconds that a drain may take. */
  readonly deadline: number
  readonly plant?: Plant | undefined
  readonly log?: ((line: string) => void) | undefined
}

export interface Outcome {
  readonly toClients: Verdict
  readonly toServer: Verdict
  /** Connections opened, and those that were tried again because the server was away or going. */
  readonly opened: number
  readonly refused: number
  /** Of each drain: how many connections there were, and after how many milliseconds the last was gone. */
  readonly drains: ReadonlyArray<{ readonly open: number; readonly took: number }>
  /** Connections that a drain ended. */
  readonly drained: number
  /** Connections that their client ended. */
  readonly left: number
  readonly halfway: number
  readonly waited: number
  readonly longestWait: number
  /** What is wrong; nothing, when nothing was lost. */
  readonly faults: ReadonlyArray<string>
}

/** Milliseconds after which a process that doesn't answer hangs. */
const hangs = 300_000

/** Milliseconds for everybody to connect. */
const gatherTimeout = 300_000

/** Milliseconds beyond a drain's deadline until a server process is given up. */
const grace = 300_000

/** A process, what it says, and what to do when it ends too soon. */
class Child<In extends object, Out extends { readonly _tag: string }> {
  readonly process: ChildProcess
  private listeners: Array<(message: Out) => void> = []
  private readonly ended: Promise<never>

  constructor(file: string, order: unknown) {
    this.process = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(order)], {
      serialization: "advanced",
      execArgv: ["--max-old-space-size=4096"]
    })
    this.process.on("message", (message: Out) => {
      for (const listener of this.listeners) listener(message)
    })
    this.ended = new Promise((_, reject) => {
      this.process.on("error", reject)
      this.process.on("exit", (code, signal) => reject(new Error(`${file} ended: ${code ?? signal}`)))
    })
    this.ended.catch(() => {})
  }

  say(message: In): void {
    this.process.send(message)
  }

  /** The next message that is wanted. */
  async hear<A>(want: (message: Out) => A | undefined, timeout: number, what: string): Promise<A> {
    let timer: NodeJS.Timeout | undefined
    let listener: ((message: Out) => void) | undefined
    try {
      return await Promise.race([
        new Promise<A>((resolve) => {
          listener = (message) => {
            const wanted = want(message)
            if (wanted !== undefined) resolve(wanted)
          }
          this.listeners.push(listener)
        }),
        new Promise<never>((_, reject) => {
          timer = setTimeout(() => reject(new Error(`${what}: not within ${timeout} ms`)), timeout)
        }),
        this.ended
      ])
    } finally {
      clearTimeout(timer)
      this.listeners = this.listeners.filter((other) => other !== listener)
    }
  }
}

type ServerChild = Child<ToServer, FromServer>
type ClientsChild = Child<ToClients, FromClients>

const startServer = async (options: RunOptions, port: number): Promise<{ server: ServerChild; port: number }> => {
  const { deadline, largeMessages, plant, rate } = options
  const order: ServerOrder = { server: options.server, port, rate, largeMessages, deadline, plant }
  const server: ServerChild = new Child("server.ts", order)
  const got = await server.hear(
    (message) => (message._tag === "listening" ? message.port : undefined),
    hangs,
    "the server"
  )
  return { server, port: got }
}

const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** Runs it all. Fails only when the run itself breaks; what is lost is in the outcome. */
export const run = async (options: RunOptions): Promise<Outcome> => {
  const { connections, exchange = 0, log = () => {}, rate } = options
  const children: Array<ChildProcess> = []
  const began = performance.now()
  const note = (line: string): void => log(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}`)
  try {
    let { port, server } = await startServer(options, 0)
    children.push(server.process)
    const order: ClientsOrder = { port, connections, rate, largeMessages: options.largeMessages }
    const clients: ClientsChild = new Child("clients.ts", order)
    children.push(clients.process)
    const gathered = (): Promise<true> =>
      clients.hear(
        (message) => (message._tag === "status" && !message.churn && message.open === connections ? true : undefined),
        gatherTimeout,
        "everybody connected"
      )
    const reports: Array<ServerReport> = []
    for (let drains = 0; drains <= options.restarts; drains++) {
      await gathered()
      note(`${connections} connections`)
      clients.say({ _tag: "talk", churn: true })
      await sleep(options.talk)
      const wanted = exchange * (drains + 1)
      await clients.hear(
        (message) =>
          message._tag === "status" && Math.min(message.received, message.sent) >= wanted ? true : undefined,
        gatherTimeout,
        `${wanted} messages in each direction`
      )
      // Those who left come back, so that the drain meets all.
      clients.say({ _tag: "talk", churn: false })
      await gathered()
      const last = drains === options.restarts
      const drained = server.hear(
        (message) => (message._tag === "drained" ? message.report : undefined),
        options.deadline + grace,
        "the server drained"
      )
      clients.say({ _tag: "drain", last })
      server.say({ _tag: "drain" })
      const report = await drained
      reports.push(report)
      note(`drained ${report.openAtDrain} in ${Math.round(report.drained)} ms`)
      if (last) break
      const next = await startServer(options, port)
      server = next.server
      children.push(server.process)
    }
    // Clients whose server is gone know it by now: their transports ended.
    await clients.hear(
      (message) => (message._tag === "status" && message.open === 0 ? true : undefined),
      grace,
      "all clients closed"
    )
    const reported = clients.hear(
      (message) => (message._tag === "report" ? message.report : undefined),
      hangs,
      "the report of the clients"
    )
    clients.say({ _tag: "report" })
    return judgeRun(options, reports, await reported)
  } finally {
    for (const child of children) child.kill("SIGKILL")
  }
}

const wrong = (verdict: Verdict, where: string): string => {
  const { duplicated, examples, invented, lost, reordered, skipped } = verdict
  const counts = `${lost} lost, ${duplicated} duplicated, ${reordered} out of order, ${skipped} skipped, ${invented} never sent`
  return `${where}: ${counts} (${examples.join(" | ")})`
}

const judgeRun = ({ deadline }: RunOptions, servers: ReadonlyArray<ServerReport>, clients: ClientsReport): Outcome => {
  const sum = (of: (report: ServerReport) => number): number => servers.reduce((total, report) => total + of(report), 0)
  const toClients = judgeAll(
    servers.flatMap(({ senders }) => senders),
    clients.receivers,
    () => true
  )
  const toServer = judgeAll(
    clients.senders,
    servers.flatMap(({ receivers }) => receivers),
    // Links that reconnect count their messages on through all of their connections.
    (stream) => !stream.startsWith("r")
  )
  const opened = sum((report) => report.opened)
  const served = servers.flatMap(({ ends }) => ends)
  const left = clients.ends.filter(({ asked }) => asked)
  const drained = clients.ends.filter(({ asked }) => !asked)
  const otherwise = [
    ...drained.filter(({ code }) => code !== 1001).map(({ code, kind }) => `${kind}: ${code}`),
    ...left.filter(({ code }) => code !== 1000 && code !== 1001).map(({ code, kind }) => `${kind}, leaving: ${code}`),
    ...served.filter(({ code }) => code !== 1000 && code !== 1001).map(({ code }) => `the server: ${code}`)
  ]
  const late = served.filter(({ after }) => after !== undefined && after > deadline).length
  const longest = Math.max(...servers.map(({ drained }) => drained))
  const broken = clients.broken + sum((report) => report.broken)
  return {
    toClients,
    toServer,
    opened,
    refused: clients.refused,
    drains: servers.map(({ drained, openAtDrain }) => ({ open: openAtDrain, took: drained })),
    drained: drained.length,
    left: left.length,
    halfway: clients.halfway,
    waited: sum((report) => report.waited),
    longestWait: Math.max(...servers.map(({ longestWait }) => longestWait)),
    faults: [
      isWhole(toClients) ? "" : wrong(toClients, "to clients"),
      isWhole(toServer) ? "" : wrong(toServer, "to the server"),
      broken === 0 ? "" : `${broken} messages not as they were sent, or on the wrong connection`,
      otherwise.length === 0 ? "" : `closed otherwise: ${summary(otherwise)}`,
      late === 0 ? "" : `${late} closed after the deadline of ${deadline} ms`,
      longest <= deadline ? "" : `a drain took ${Math.round(longest)} ms`,
      opened === clients.ends.length && opened === served.length
        ? ""
        : `${opened} connections, but ${served.length} ends on the server and ${clients.ends.length} on the clients`
    ].filter((fault) => fault !== "")
  }
}

/** Equal lines, counted. */
const summary = (lines: ReadonlyArray<string>): string => {
  const counts = new Map<string, number>()
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1)
  return [...counts].map(([line, count]) => `${line} (${count})`).join(", ")
}
