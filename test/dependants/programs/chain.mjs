/** A node of a chain, as far as clients of JSON-RPC over WebSocket can tell. */
import { once } from "node:events"
import { setTimeout } from "node:timers/promises"
import { WebSocketServer } from "ws"
import { listen } from "./support.ts"

const hex = (number) => `0x${number.toString(16)}`

export const serveChain = async (log) => {
  const { port, server: web } = await listen()
  const server = new WebSocketServer({ server: web })
  let height = 100
  const subscribers = new Set()
  const answer = (socket, { id, method, params = [] }) => {
    switch (method) {
      case "eth_chainId":
        return { id, result: "0x1" }
      case "net_version":
        return { id, result: "1" }
      case "eth_blockNumber":
        return { id, result: hex(height) }
      case "eth_getBalance":
        return { id, result: hex(BigInt(params[0]) * 10n + 1n) }
      case "eth_subscribe":
        subscribers.add(socket)
        return { id, result: "0x77" }
      case "eth_unsubscribe":
        subscribers.delete(socket)
        return { id, result: true }
      default:
        return { id, error: { code: -32601, message: `no method ${method}` } }
    }
  }
  server.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => {
      if (isBinary) log("bytes")
      const requests = JSON.parse(String(data))
      const answers = [requests].flat().map((request) => ({ jsonrpc: "2.0", ...answer(socket, request) }))
      socket.send(JSON.stringify(Array.isArray(requests) ? answers : answers[0]))
    })
    socket.on("close", (code, reason) => log("node", "close", code, String(reason)))
  })
  return {
    url: `ws://127.0.0.1:${port}`,
    /** Makes blocks, once a client has subscribed. */
    block: async (count) => {
      while (subscribers.size === 0) await setTimeout(5)
      for (let at = 0; at < count; at++) {
        const result = { number: hex(++height), hash: `0x${"0".repeat(64)}` }
        const params = { subscription: "0x77", result }
        for (const socket of subscribers)
          socket.send(JSON.stringify({ jsonrpc: "2.0", method: "eth_subscription", params }))
      }
    },
    close: async () => {
      const open = [...server.clients].map((socket) => once(socket, "close"))
      await Promise.all(open)
      server.close()
      web.close()
    }
  }
}
