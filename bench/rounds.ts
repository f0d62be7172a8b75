// Runs one scenario: every peer in each round, one after the other, so that a slow minute hits all of them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { ClientMode } from "./clients/program.ts"
import { commandFor, type Peer } from "./peers.ts"
import { Helper, Program } from "./process.ts"
import type { Scenario } from "./scenarios.ts"
import type { ServerMode } from "./servers/program.ts"
import { residentBytes } from "./workload/accounting.ts"
import { type Certificate, makeCertificate } from "./workload/certificate.ts"
import type { Answer, IdleJob, Job, LoadCommand, Measurement, MirrorCommand, Target, Window } from "./workload/jobs.ts"

/** How long and how often. */
export interface Settings {
  /** Of this peer. Those with fewer take part in the first ones. */
  readonly rounds: (peer: Peer) => number
  readonly window: Window
  /** Ends the whole run early; the children are stopped. */
  readonly signal: AbortSignal
  readonly onProgress: (peer: Peer, round: number) => void
}

/** What became of one peer in one scenario. */
export type Outcome =
  | { readonly status: "measured"; readonly samples: ReadonlyArray<Measurement> }
  | { readonly status: "unsupported" | "missing" | "failed"; readonly reason: string }

/** A peer that cannot take part, with the reason to show. */
class Excluded extends Error {
  readonly status: "unsupported" | "missing" | "failed"

  constructor(status: "unsupported" | "missing" | "failed", reason: string) {
    super(reason)
    this.status = status
  }
}

const loadScript = fileURLToPath(new URL("load.ts", import.meta.url))
const mirrorScript = fileURLToPath(new URL("mirror.ts", import.meta.url))

const startupLimit = 15_000
const idleLimit = 120_000

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

const compressionOf = (job: Job): "off" | "reset" | "kept" =>
  job.kind === "echo" || job.kind === "broadcast" ? job.compression : "off"

const startProgram = (
  peer: Peer,
  side: "server" | "client",
  mode: object,
  environment: Record<string, string>
): Program => {
  const command = commandFor(peer, side)
  if ("missing" in command) throw new Excluded("missing", command.missing)
  return new Program(command.command, [...command.args, JSON.stringify(mode)], { ...peer.environment, ...environment })
}

const expectField = async (program: Program, field: string): Promise<number> => {
  const line = await program.next(startupLimit)
  if (typeof line["unsupported"] === "string") throw new Excluded("unsupported", line["unsupported"])
  if (typeof line["failed"] === "string") throw new Excluded("failed", line["failed"])
  if (!(field in line)) throw new Excluded("failed", `said ${JSON.stringify(line)}`)
  return Number(line[field])
}

const measured = (answer: Answer): Measurement => {
  if (answer.type === "measured") return answer.measurement
  throw new Excluded("failed", answer.type === "failed" ? answer.reason : `answered ${answer.type}`)
}

const succeeded = (answer: Answer): void => {
  if (answer.type === "failed") throw new Excluded("failed", answer.reason)
}

/** Orders two collections, since finalizers of the first leave garbage for the second, and reads the memory that stays. */
const settledMemory = async (program: Program): Promise<number> => {
  for (let i = 0; i < 2; i++) {
    program.order("collect")
    await expectField(program, "collected")
    await sleep(300)
  }
  return residentBytes(program.pid)
}

const perConnection = (before: number, after: number, connections: number): Measurement => ({
  count: (after - before) / connections,
  seconds: 1,
  cpu: 1,
  generatorCpu: 0,
  resident: after
})

const limitFor = (window: Window): number => (window.warmUp + window.measured) * 8 + 60_000

/**
 * A program that has just started takes longer until its code is compiled; for handshakes longest, since there are so few
 * of them in a second.
 */
const fresh = (window: Window, job: Job): Window => ({
  ...window,
  warmUp: window.warmUp * (job.kind === "handshakes" ? 20 : 5)
})

type Run = (peer: Peer, round: number) => Promise<Measurement>

const serverRun = (
  scenario: Scenario,
  settings: Settings,
  certificate: Certificate | undefined,
  atEnd: Array<() => Promise<void>>
): Run => {
  const { job } = scenario
  const load = new Helper<LoadCommand, Answer>(loadScript)
  atEnd.push(() => load.stop())
  const serverMode: ServerMode = {
    scenario: job.kind === "broadcast" ? "broadcast" : "echo",
    compression: compressionOf(job),
    tls: certificate
  }
  const start = async (peer: Peer): Promise<{ readonly program: Program; readonly target: Target }> => {
    const program = startProgram(peer, "server", serverMode, {})
    try {
      const port = await expectField(program, "port")
      return {
        program,
        target: { port, pid: program.pid, certificate: certificate?.cert, verbatim: peer.verbatim }
      }
    } catch (error) {
      await program.stop()
      throw error
    }
  }
  if (job.kind === "idle") return (peer) => idleServer(peer, job, start, load)

  const running = new Map<Peer, Awaited<ReturnType<typeof start>>>()
  atEnd.push(async () => {
    for (const { program } of running.values()) await program.stop()
  })
  return async (peer, round) => {
    const server = running.get(peer) ?? (await start(peer))
    running.set(peer, server)
    const window = round === 0 ? fresh(settings.window, job) : settings.window
    return measured(await load.ask({ type: "run", target: server.target, job, window }, limitFor(window)))
  }
}

const idleServer = async (
  peer: Peer,
  job: IdleJob,
  start: (peer: Peer) => Promise<{ readonly program: Program; readonly target: Target }>,
  load: Helper<LoadCommand, Answer>
): Promise<Measurement> => {
  const { program, target } = await start(peer)
  try {
    const before = await settledMemory(program)
    succeeded(await load.ask({ type: "hold", target, job }, idleLimit))
    const after = await settledMemory(program)
    succeeded(await load.ask({ type: "release" }, idleLimit))
    return perConnection(before, after, job.connections)
  } finally {
    await program.stop()
  }
}

const clientRun = (
  scenario: Scenario,
  settings: Settings,
  certificate: Certificate | undefined,
  atEnd: Array<() => Promise<void>>
): Run => {
  const { job } = scenario
  const mirror = new Helper<MirrorCommand, Answer>(mirrorScript)
  atEnd.push(() => mirror.stop())
  const environment: Record<string, string> = {}
  if (certificate !== undefined) {
    const folder = mkdtempSync(join(tmpdir(), "effect-ws-bench-"))
    const file = join(folder, "certificate.pem")
    writeFileSync(file, certificate.cert)
    environment["NODE_EXTRA_CA_CERTS"] = file
    environment["DENO_CERT"] = file
    atEnd.push(async () => rmSync(folder, { recursive: true, force: true }))
  }
  return async (peer) => {
    const listening = await mirror.ask({ type: "listen", job, certificate }, startupLimit)
    if (listening.type !== "listening") throw new Excluded("failed", "the mirror does not listen")
    const mode: ClientMode = {
      port: listening.port,
      secure: certificate !== undefined,
      kind: job.kind === "broadcast" ? "echo" : job.kind,
      connections: job.connections,
      depth: job.kind === "echo" ? job.depth : 1,
      payload: job.kind === "echo" ? job.payload : { size: 0, kind: "bytes" },
      compression: compressionOf(job)
    }
    const program = startProgram(peer, "client", mode, environment)
    try {
      await expectField(program, "started")
      const before = job.kind === "idle" ? await settledMemory(program) : 0
      program.order("go")
      await expectField(program, "ready")
      if (job.kind === "idle") return perConnection(before, await settledMemory(program), job.connections)
      const window = fresh(settings.window, job)
      const answer = await mirror.ask({ type: "measure", pid: program.pid, window }, limitFor(window))
      // A client that failed has said why, and that is the better reason.
      if (answer.type === "failed") await expectField(program, "nothing more").catch(explain)
      return measured(answer)
    } finally {
      await program.stop()
      await mirror.ask({ type: "stop" }, startupLimit)
    }
  }
}

const explain = (error: unknown): void => {
  if (error instanceof Excluded) throw error
}

const asOutcome = (error: unknown): Outcome =>
  error instanceof Excluded
    ? { status: error.status, reason: error.message }
    : { status: "failed", reason: error instanceof Error ? error.message : String(error) }

/** Runs a scenario on each peer that can take part. */
export const runScenario = async (
  scenario: Scenario,
  peers: ReadonlyArray<Peer>,
  settings: Settings
): Promise<ReadonlyMap<Peer, Outcome>> => {
  const samples = new Map<Peer, Array<Measurement>>()
  const outcomes = new Map<Peer, Outcome>()
  const atEnd: Array<() => Promise<void>> = []
  const certificate = scenario.tls ? makeCertificate() : undefined
  const sided = peers.filter((peer) => peer[scenario.side] !== undefined)
  try {
    const run =
      scenario.side === "server"
        ? serverRun(scenario, settings, certificate, atEnd)
        : clientRun(scenario, settings, certificate, atEnd)
    const rounds = Math.max(0, ...sided.map(settings.rounds))
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < sided.length; turn++) {
        const peer = sided[(turn + round) % sided.length]
        if (peer === undefined || outcomes.has(peer) || round >= settings.rounds(peer)) continue
        if (settings.signal.aborted) return outcomes
        settings.onProgress(peer, round)
        try {
          const list = samples.get(peer) ?? []
          list.push(await run(peer, round))
          samples.set(peer, list)
        } catch (error) {
          outcomes.set(peer, asOutcome(error))
        }
      }
    }
  } finally {
    for (const end of atEnd) await end()
  }
  for (const [peer, list] of samples) if (!outcomes.has(peer)) outcomes.set(peer, { status: "measured", samples: list })
  return outcomes
}
