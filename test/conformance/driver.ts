/** Plays a case against a peer, as client or as server. */
import { connect, createServer, type Server, type Socket } from "node:net"
import { bytesOf, type Case, type EchoSource, type Step } from "./case.ts"
import { pieceOf } from "./corpus.ts"
import { agreeAsClient, agreeAsServer, offer } from "./deflate.ts"
import { fault, readHead, refusal, writeAnswer, writeRequest } from "./http.ts"
import { failed, type Failure, judge, type Verdict } from "./judge.ts"
import { Session, type SessionOptions } from "./session.ts"

export interface DriverOptions {
  /** Messages in each compressed series: 1000 in the original. */
  readonly messages: number
  /** Longest time for a case in ms, where its own limit is not shorter. */
  readonly limit?: number | undefined
  /** How long a server may leave TCP open after both close frames, in ms; 5 s if left out. */
  readonly dropLimit?: number | undefined
}

export interface Result extends Verdict {
  readonly id: string
  readonly ms: number
}

const sourceOf = (source: EchoSource): ((index: number) => Buffer) => {
  if (source._tag === "corpus") return (index) => pieceOf(source.corpus, source.size, index)
  const payload = bytesOf(source.payload)
  return () => payload
}

const echoes = async (
  step: Extract<Step, { _tag: "echoes" }>,
  session: Session,
  options: DriverOptions
): Promise<Failure | undefined> => {
  const count = step.count ?? options.messages
  const message = sourceOf(step.source)
  for (let i = 0; i < count; i++) {
    const payload = message(i)
    await session.send(step.opcode, payload, step.fragment)
    if (!(await session.wait(() => session.events.length > 0))) break
    const echo = session.events.shift()
    if (echo?._tag !== "message" || echo.opcode !== step.opcode || !echo.payload.equals(payload)) {
      return { behavior: "FAILED", reason: `Echo ${i + 1} of ${count} is not what was sent` }
    }
    if (i + 1 === count && session.events.length === 0) return undefined
  }
  return { behavior: "FAILED", reason: `Not ${count} echoes` }
}

const perform = async (step: Step, session: Session, options: DriverOptions): Promise<Failure | undefined> => {
  switch (step._tag) {
    case "frames":
      await session.frames(step.frames, step.chop)
      return undefined
    case "message":
      await session.send(step.opcode, bytesOf(step.payload), step.fragment)
      return undefined
    case "piece":
      await session.piece(step.frame, step.from, step.to)
      return undefined
    case "close":
      await session.close(bytesOf(step.payload))
      return undefined
    case "await":
      await session.wait(() => session.events.length >= step.events)
      return undefined
    case "probe": {
      if (await session.probe()) session.events.push({ _tag: "passed", label: step.label })
      return undefined
    }
    case "quiet": {
      await session.silence(step.ms)
      const silent = session.closeReceived === undefined && !session.over
      if (silent) session.events.push({ _tag: "passed", label: step.label })
      return undefined
    }
    case "echoes":
      return echoes(step, session, options)
  }
}

const closeNormally = (code: number): Buffer => {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  return payload
}

/** Plays a case over an open connection to its end. */
const play = async (test: Case, session: Session, options: DriverOptions): Promise<Verdict> => {
  let failure: Failure | undefined
  if (test.deflate !== undefined && !session.deflates) {
    failure = { behavior: "UNIMPLEMENTED", reason: "permessage-deflate was declined" }
  } else {
    for (const step of test.steps) {
      failure ??= await perform(step, session, options)
      if (session.closeReceived !== undefined || session.over || failure !== undefined) break
    }
  }
  if (test.close.by === "driver") {
    const first = test.outcomes[0]
    if (failure === undefined && first !== undefined) {
      await session.wait(() => session.closeReceived !== undefined || session.events.length >= first.events.length)
    }
    if (!session.over && session.closeReceived === undefined) {
      await session.close(closeNormally(test.close.codes[0] ?? 1000))
    }
  }
  await session.wait(() => session.ended)
  return judge(test, session, failure)
}

const timed = async (id: string, run: () => Promise<Verdict>): Promise<Result> => {
  const start = performance.now()
  const verdict = await run().catch((error: unknown) => failed(String(error)))
  return { id, ...verdict, ms: Math.round(performance.now() - start) }
}

const limitOf = (test: Case, options: DriverOptions): number =>
  Math.min(test.limit ?? 10_000, options.limit ?? Number.MAX_SAFE_INTEGER)

/** Ends the socket if the opening handshake takes too long. */
const bounded = async <A>(socket: Socket, ms: number, promise: Promise<A>): Promise<A> => {
  const timer = setTimeout(() => socket.destroy(), ms)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}

const open = (
  socket: Socket,
  test: Case,
  options: DriverOptions,
  handshake: Pick<SessionOptions, "side" | "rest" | "agreement">
): Session => new Session(socket, { ...handshake, limit: limitOf(test, options), dropLimit: options.dropLimit ?? 5000 })

/** Plays a case as client against the server on a port of this machine. */
export const playAsClient = (test: Case, port: number, options: DriverOptions): Promise<Result> =>
  timed(test.id, async () => {
    const socket = connect(port, "127.0.0.1")
    socket.on("error", () => undefined)
    try {
      const asks = test.deflate ?? []
      const key = writeRequest(socket, port, `/case/${test.id}`, test.deflate === undefined ? undefined : offer(asks))
      const head = await bounded(socket, limitOf(test, options), readHead(socket))
      const reason = refusal(head, key)
      if (reason !== undefined) return failed(reason)
      const agreement = agreeAsClient(asks, head.headers.get("sec-websocket-extensions"))
      const session = open(socket, test, options, { side: "client", rest: head.rest, agreement })
      return await play(test, session, options)
    } finally {
      socket.destroy()
    }
  })

/** Resolves with the first connection to the server. */
const connection = (server: Server, ms: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("The client did not connect")), ms)
    server.once("connection", (socket: Socket) => {
      clearTimeout(timer)
      socket.on("error", () => undefined)
      resolve(socket)
    })
  })

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resolve(typeof address === "object" && address !== null ? address.port : 0)
    })
  )

/** Longest time from the end of TCP to the end of the client, in ms. */
const clientLimit = 5000

/** Whether the promise is done in time. A client that rejects is done too: how it sees the end is its own affair. */
const done = (promise: Promise<void>, ms: number): Promise<boolean> =>
  new Promise((resolve) => {
    const settle = (inTime: boolean) => (): void => {
      clearTimeout(timer)
      resolve(inTime)
    }
    const timer = setTimeout(settle(false), ms)
    promise.then(settle(true), settle(true))
  })

/** Plays a case as server against a client that connects to the URL once, echoes, and ends with the connection. */
export const playAsServer = (
  test: Case,
  client: (url: string) => Promise<void>,
  options: DriverOptions
): Promise<Result> =>
  timed(test.id, async () => {
    const server = createServer({ noDelay: true })
    const port = await listen(server)
    const limit = limitOf(test, options)
    const arriving = connection(server, limit)
    const running = client(`ws://127.0.0.1:${port}/case/${test.id}`)
    try {
      const socket = await arriving
      const head = await bounded(socket, limit, readHead(socket))
      const reason = fault(head)
      if (reason !== undefined) {
        socket.destroy()
        return failed(reason)
      }
      const agreed = agreeAsServer(test.deflate ?? [], head.headers.get("sec-websocket-extensions"))
      writeAnswer(socket, head, agreed?.answer)
      const session = open(socket, test, options, { side: "server", rest: head.rest, agreement: agreed?.agreement })
      const verdict = await play(test, session, options)
      if (await done(running, clientLimit)) return verdict
      return { ...verdict, behavior: "FAILED", note: `TCP ended, but not the client; ${verdict.note}` }
    } finally {
      server.close()
    }
  })
