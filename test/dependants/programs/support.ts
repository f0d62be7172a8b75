/**
 * What the programs have in common. They run under `test/support/ws-is-ours.mjs`, or in a folder whose `ws` is either
 * the original or ours.
 */
import assert from "node:assert/strict"
import { once } from "node:events"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { WebSocket } from "ws"

if (process.execArgv.some((argument) => argument.endsWith("/ws-is-ours.mjs"))) {
  assert.equal(WebSocket, (await import("effect-ws/ws")).WebSocket)
}

/** Notes what is compared between a run with `ws` and a run with this library. */
export const log = (...values: ReadonlyArray<unknown>): void => {
  console.log(JSON.stringify(values, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)))
}

/** An HTTP server on a free port of the loopback address. */
export const listen = async (listener?: http.RequestListener): Promise<{ server: http.Server; port: number }> => {
  const server = http.createServer(listener)
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return { server, port: (server.address() as AddressInfo).port }
}

/** The first that an emitter tells under a name, for emitters that are not Node's. */
export const first = <Arguments extends ReadonlyArray<unknown>>(
  subscribe: (listener: (...values: Arguments) => void) => unknown
): Promise<Arguments> => new Promise((resolve) => void subscribe((...values) => resolve(values)))

/** Bytes whose order shows. */
export const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, index) => index % 251))
