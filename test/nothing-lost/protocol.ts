// What the processes of a run tell each other.
import type { Received, Sent } from "./ledger.ts"

/** A fault that is made on purpose, to see that it is found. */
export const plants = ["drop", "dup", "reorder", "close"] as const
export type Plant = (typeof plants)[number]

export const serverNames = ["effect", "face", "ws"] as const
export type ServerName = (typeof serverNames)[number]

/** What a server process is to do. */
export interface ServerOrder {
  readonly server: ServerName
  /** 0 for one that is free. */
  readonly port: number
  /** Messages a second, to all connections together. */
  readonly rate: number
  /** How many large messages there are on each connection that has such. */
  readonly largeMessages: number
  /** Milliseconds that a drain may take. */
  readonly deadline: number
  readonly plant: Plant | undefined
}

/** How a connection ended, as the server knows it. */
export interface ServedEnd {
  readonly connection: string
  /** The code of the peer's close frame; 1005 for one without, 1006 for none. */
  readonly code: number
  /** Milliseconds since the drain began; `undefined` before one. */
  readonly after: number | undefined
}

export interface ServerReport {
  readonly opened: number
  /** Connections that were open when the drain began. */
  readonly openAtDrain: number
  /** Milliseconds until the last of them was gone. */
  readonly drained: number
  readonly senders: ReadonlyArray<Sent>
  readonly receivers: ReadonlyArray<Received>
  readonly ends: ReadonlyArray<ServedEnd>
  /** Messages that weren't what they should be. */
  readonly broken: number
  /** Sends that were done later than in the tick that began them by more than `slowSend`. */
  readonly waited: number
  readonly longestWait: number
}

/** Milliseconds from which on a send counts as one that waited for its reader. */
export const slowSend = 50

/** Milliseconds that a slow reader reads, and then doesn't. */
export const slowness = 300

export type ToServer = { readonly _tag: "drain" }

export type FromServer =
  | { readonly _tag: "listening"; readonly port: number }
  | { readonly _tag: "drained"; readonly report: ServerReport }

/** What the process of the clients is to do. */
export interface ClientsOrder {
  readonly port: number
  readonly connections: number
  /** Messages a second, of all clients together. */
  readonly rate: number
  /** How many large messages there are on each connection that has such. */
  readonly largeMessages: number
}

export const kinds = ["effect", "reconnecting", "face", "ws", "raw"] as const
export type Kind = (typeof kinds)[number]

/** How a connection ended, as the client knows it. */
export interface ClientEnd {
  readonly connection: string
  readonly kind: Kind
  readonly code: number
  /** Whether the client asked first. */
  readonly asked: boolean
}

export interface ClientsReport {
  readonly senders: ReadonlyArray<Sent>
  readonly receivers: ReadonlyArray<Received>
  readonly ends: ReadonlyArray<ClientEnd>
  readonly broken: number
  /** Connections that didn't come about, and were tried again. */
  readonly refused: number
  /** Messages that a close frame of the server met halfway. */
  readonly halfway: number
}

export type ToClients =
  /** Talk; `churn` says whether some leave and come back. */
  | { readonly _tag: "talk"; readonly churn: boolean }
  /** Everybody sends at once: the drain comes. After the last one nobody comes back. */
  | { readonly _tag: "drain"; readonly last: boolean }
  | { readonly _tag: "report" }

export type FromClients =
  | {
      readonly _tag: "status"
      readonly open: number
      readonly churn: boolean
      /** Messages so far: those that were received, and those that `send` reported as sent. */
      readonly received: number
      readonly sent: number
    }
  | { readonly _tag: "report"; readonly report: ClientsReport }
