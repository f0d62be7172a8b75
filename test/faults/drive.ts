// Runs faults of the wire: for each a client and a server of one face, with a proxy between that does one thing wrong.
import { type Direction, FaultyProxy, type Pace, type WireFault } from "../support/faultyProxy.ts"
import {
  Bystander,
  type Certificate,
  type Client,
  type ClientSettings,
  connect,
  type DraftName,
  type Face,
  type Running,
  sayHello,
  serve,
  type Told,
  unlimited,
  untimed
} from "./faces.ts"
import { watched } from "./watch.ts"

/** What both sides were told. */
export interface Verdict {
  readonly client: Told
  readonly server: Told
}

/** The parts of a conversation in one direction: the head of the handshake, a message, a close frame. */
export type Part = "head" | "message" | "close"

/** One conversation, and what goes wrong in it. */
export interface Case {
  readonly name: string
  readonly fault?: WireFault | undefined
  readonly pace?: Pace | undefined
  readonly client?: Partial<ClientSettings> | undefined
  readonly verdict: Verdict
}

export interface Setting {
  readonly face: Face
  readonly draft?: DraftName | undefined
  readonly tls?: Certificate | undefined
  /** Milliseconds between the pings of the server, and for their answers. Default: so long that no test waits for them. */
  readonly keepAlive?: number | undefined
}

/** How many bytes have passed in one direction at the end of each part. */
export type Ends = { readonly [P in Part]: number }

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1))

/** Milliseconds after which a conversation hangs. */
const hangs = 120_000

const same = (a: Verdict, b: Verdict): boolean => JSON.stringify(a) === JSON.stringify(b)

const begins = (told: Told, all: Told): boolean => told.every((what, index) => what === all[index])

/** Whether what was told so far may still become a verdict. */
const mayBecome = (told: Verdict, verdict: Verdict): boolean =>
  begins(told.client, verdict.client) && begins(told.server, verdict.server)

/** As many conversations at once. */
const width = 24

/** Holds conversations with one server of a face. */
export class Stage {
  readonly setting: Setting
  readonly server: Running
  private count = 0

  private constructor(setting: Setting, server: Running) {
    this.setting = setting
    this.server = server
  }

  /**
   * Opens a server, and a bystander's connection beside those to come; when all is done nothing may be left of them, and
   * the bystander must still get its echo.
   */
  static async with(setting: Setting, use: (stage: Stage) => Promise<void>): Promise<void> {
    const { keepAlive = unlimited } = setting
    const times = { handshakeTimeout: unlimited, keepAlive, closeTimeout: unlimited }
    await watched(async () => {
      const server = await serve[setting.face]({ tls: setting.tls, ...times })
      try {
        const stage = new Stage(setting, server)
        const bystander = new Bystander(setting.face, server.port, setting.tls)
        await bystander.check()
        const talk = async (): Promise<void> => {
          const talking = stage.accompany(bystander)
          try {
            await use(stage)
          } finally {
            await talking.stop()
          }
        }
        // The pings of the bystander's connection have their timers.
        await watched(talk, { lookFor: 2 * (setting.keepAlive ?? 0) })
        await bystander.check()
        await bystander.leave()
      } finally {
        await server.stop()
      }
    })
  }

  /** Where the parts end when nothing goes wrong. */
  async measure(): Promise<{ readonly [D in Direction]: Ends }> {
    const path = this.path()
    const proxy = await FaultyProxy.before(this.server.port)
    const marks: Array<readonly [up: number, down: number]> = []
    const mark = (): void => void marks.push([proxy.passed("up"), proxy.passed("down")])
    try {
      const client = this.connect(proxy.port, path, {
        opened: (client) => {
          mark()
          client.send("hello")
        },
        answered: (client) => {
          mark()
          client.close()
        }
      })
      await client.over
      mark()
      const [head = [0, 0], message = [0, 0], close = [0, 0]] = marks
      return {
        up: { head: head[0], message: message[0], close: close[0] },
        down: { head: head[1], message: message[1], close: close[1] }
      }
    } finally {
      proxy.stop()
    }
  }

  /** Holds all conversations, several at once, and answers those that went otherwise than they should. */
  async hold(cases: ReadonlyArray<Case>): Promise<ReadonlyArray<string>> {
    const waiting = [...cases]
    const done: Array<{ readonly one: Case; readonly client: Client; readonly path: string }> = []
    const work = async (): Promise<void> => {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
        done.push({ one, ...(await this.holdOne(one)) })
      }
    }
    await Promise.all(Array.from({ length: width }, work))
    // What was told late counts too.
    return done.flatMap(({ client, one, path }) => {
      const verdict = { client: client.told, server: this.server.told(path) }
      return same(verdict, one.verdict)
        ? []
        : [`${one.name}: ${JSON.stringify(verdict)} instead of ${JSON.stringify(one.verdict)}`]
    })
  }

  private async holdOne(one: Case): Promise<{ readonly client: Client; readonly path: string }> {
    const path = this.path()
    const proxy = await FaultyProxy.before(this.server.port, one.fault, one.pace)
    const { opened = sayHello } = one.client ?? {}
    try {
      const client = this.connect(proxy.port, path, {
        ...one.client,
        opened: (client) => {
          proxy.mark()
          opened(client)
        }
      })
      const deadline = performance.now() + hangs
      const told = (): Verdict => ({ client: client.told, server: this.server.told(path) })
      while (!same(told(), one.verdict) && mayBecome(told(), one.verdict) && performance.now() < deadline) {
        await settle()
      }
      return { client, path }
    } finally {
      proxy.stop()
    }
  }

  private connect(port: number, path: string, settings: Partial<ClientSettings> = {}): Client {
    const { draft, face, tls } = this.setting
    return connect[face](port, { path, draft, tls, ...untimed, ...settings })
  }

  /** All of the same length, so that each request has its length. */
  private path(): string {
    return `/${String(this.count++).padStart(6, "0")}`
  }

  private accompany(bystander: Bystander): { readonly stop: () => Promise<void> } {
    const stopping = new AbortController()
    const talk = async (): Promise<void> => {
      while (!stopping.signal.aborted) {
        await bystander.check()
        await settle()
      }
    }
    const talking = talk()
    talking.catch(() => {})
    return {
      stop: () => {
        stopping.abort()
        return talking
      }
    }
  }
}
