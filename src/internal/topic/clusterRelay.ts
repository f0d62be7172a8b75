import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import cluster, { type Worker } from "node:cluster"
import { type Answer, asRequest, type Packed, type Request } from "./clusterMessages.ts"
import { Filters } from "./filters.ts"

/** Bytes that may wait for a worker that doesn't keep up, before it misses messages. */
const queueSize = 16 * 1024 * 1024

/** A worker, what it is subscribed to, and what it missed. */
class Peer {
  readonly filters = new Filters<{ readonly filter: string }>()
  private readonly worker: Worker
  private waiting = 0
  private missed = 0

  constructor(worker: Worker) {
    this.worker = worker
  }

  answer(id: number): void {
    this.send({ _tag: "effect-ws/Done", id }, 0)
  }

  /** Passes on those messages that the worker is subscribed to. */
  give(all: ReadonlyArray<Packed>): void {
    const messages = all.filter(([topic]) => this.filters.matching(topic).length > 0)
    if (messages.length === 0) return
    const size = messages.reduce((sum, [topic, content]) => sum + topic.length + content.length, 0)
    if (this.missed > 0 || this.waiting + size > queueSize) this.missed += messages.length
    else this.send({ _tag: "effect-ws/Messages", messages }, size)
  }

  private send(answer: Answer, size: number): void {
    if (!this.worker.isConnected()) return
    this.waiting += size
    // A worker that is gone has no use for it, and is forgotten.
    this.worker.send(answer, () => {
      this.waiting -= size
      if (this.missed === 0 || this.waiting > 0) return
      const count = this.missed
      this.missed = 0
      this.send({ _tag: "effect-ws/Missed", count }, 0)
    })
  }
}

/** Passes messages on between the workers of this process until the scope ends. */
export const relay: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const peers = new Map<Worker, Peer>()
    const peerOf = (worker: Worker): Peer => {
      let peer = peers.get(worker)
      if (peer === undefined) peers.set(worker, (peer = new Peer(worker)))
      return peer
    }
    const onMessage = (worker: Worker, message: unknown): void => {
      const request = asRequest(message)
      if (request === undefined) return
      const peer = peerOf(worker)
      handle(peer, request, peers)
      peer.answer(request.id)
    }
    const onGone = (worker: Worker): void => {
      peers.delete(worker)
    }
    cluster.on("message", onMessage)
    cluster.on("disconnect", onGone)
    return () => {
      cluster.off("message", onMessage)
      cluster.off("disconnect", onGone)
    }
  }),
  (stop) => Effect.sync(stop)
).pipe(Effect.asVoid)

const handle = (peer: Peer, request: Request, peers: ReadonlyMap<Worker, Peer>): void => {
  switch (request._tag) {
    case "effect-ws/Hello":
      // A worker that connects again subscribes anew.
      peer.filters.clear()
      break
    case "effect-ws/Subscribe":
      for (const filter of request.filters) if (peer.filters.get(filter) === undefined) peer.filters.add({ filter })
      break
    case "effect-ws/Unsubscribe": {
      const known = peer.filters.get(request.filter)
      if (known !== undefined) peer.filters.delete(known)
      break
    }
    case "effect-ws/Publish":
      for (const other of peers.values()) other.give(request.messages)
  }
}
