import { EventEmitter } from "node:events"
import type { Loose } from "./types.ts"

/** Ways to listen to events that are known, with the types of their arguments, and to any other. */
export interface Listens<Events extends { [E in keyof Events]: Array<unknown> }> {
  on<E extends keyof Events>(event: E, listener: Loose<Events[E]>): this
  on(event: string | symbol, listener: Loose<Array<unknown>>): this
  addListener<E extends keyof Events>(event: E, listener: Loose<Events[E]>): this
  addListener(event: string | symbol, listener: Loose<Array<unknown>>): this
  once<E extends keyof Events>(event: E, listener: Loose<Events[E]>): this
  once(event: string | symbol, listener: Loose<Array<unknown>>): this
  prependListener<E extends keyof Events>(event: E, listener: Loose<Events[E]>): this
  prependListener(event: string | symbol, listener: Loose<Array<unknown>>): this
  prependOnceListener<E extends keyof Events>(event: E, listener: Loose<Events[E]>): this
  prependOnceListener(event: string | symbol, listener: Loose<Array<unknown>>): this
}

/** Node's `EventEmitter`, which knows its events. */
export const emitterOf = <Events extends { [E in keyof Events]: Array<unknown> }>(): new () => Listens<Events> &
  EventEmitter => EventEmitter
