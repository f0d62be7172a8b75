/** NestJS with its adapter for ws: messages by their event, answers, streams of answers, errors, life-cycle hooks. */
import "reflect-metadata"
import { Module } from "@nestjs/common"
import { NestFactory } from "@nestjs/core"
import { WsAdapter } from "@nestjs/platform-ws"
import { MessageBody, SubscribeMessage, WebSocketGateway, WsException } from "@nestjs/websockets"
import { once } from "node:events"
import { from, map } from "rxjs"
import { WebSocket } from "ws"
import { log } from "./support.ts"

class Gateway {
  handleConnection() {
    log("connection")
  }
  handleDisconnect() {
    log("disconnect")
  }
  echo(data) {
    return { event: "echo", data }
  }
  many(data) {
    return from(data).pipe(map((item) => ({ event: "item", data: item * 2 })))
  }
  async later(data) {
    return { event: "later", data: await Promise.resolve(data) }
  }
  fail() {
    throw new WsException("not like that")
  }
}
// What decorators would do, which Node doesn't read.
for (const name of ["echo", "many", "later", "fail"]) {
  const { prototype } = Gateway
  MessageBody()(prototype, name, 0)
  SubscribeMessage(name)(prototype, name, Object.getOwnPropertyDescriptor(prototype, name))
}
WebSocketGateway({ path: "/nest" })(Gateway)
class App {
  gateway = Gateway
}
Module({ providers: [Gateway] })(App)

const app = await NestFactory.create(App, { logger: false })
app.useWebSocketAdapter(new WsAdapter(app))
await app.listen(0, "127.0.0.1")
const { port } = app.getHttpServer().address()

const socket = new WebSocket(`ws://127.0.0.1:${port}/nest`)
await once(socket, "open")
const ask = async (event, data, answers = 1) => {
  const received = []
  const all = new Promise((resolve) => {
    const listener = (message) => {
      received.push(JSON.parse(String(message)))
      if (received.length < answers) return
      socket.off("message", listener)
      resolve(undefined)
    }
    socket.on("message", listener)
  })
  socket.send(JSON.stringify({ event, data }))
  await all
  return received
}
log(await ask("echo", { text: "✓", list: [1, 2, 3] }))
log(await ask("many", [1, 2, 3, 4, 5], 5))
log(await ask("later", "x".repeat(100_000)).then(([{ event, data }]) => [event, data.length]))
log(await ask("fail", null).then(([{ event, data }]) => [event, data?.message]))

const elsewhere = new WebSocket(`ws://127.0.0.1:${port}/elsewhere`)
const [{ message }] = await once(elsewhere, "error")
log("elsewhere", message)

const closed = once(socket, "close")
await app.close()
log("closed", (await closed)[0])
