/** MQTT.js and Aedes: sessions, every quality of service, retained messages, a will, a large payload, a reconnection. */
import { Aedes } from "aedes"
import mqtt from "mqtt"
import { once } from "node:events"
import { createWebSocketStream, WebSocketServer } from "ws"
import { listen, log } from "./support.ts"

const { port, server: web } = await listen()
const broker = await Aedes.createBroker()
const server = new WebSocketServer({ server: web, path: "/mqtt", handleProtocols: (protocols) => [...protocols][0] })
const streams = new Set()
server.on("connection", (socket, request) => {
  log("server", socket.protocol, socket.extensions)
  const stream = createWebSocketStream(socket)
  streams.add(stream)
  stream.on("close", () => streams.delete(stream))
  broker.handle(stream, request)
})
broker.on("clientDisconnect", ({ id }) => log("broker", "disconnect", id))

const options = { reconnectPeriod: 20, keepalive: 1 }
const connect = (clientId, more) => mqtt.connectAsync(`ws://127.0.0.1:${port}/mqtt`, { ...options, clientId, ...more })

/** The next message of a client. */
const message = async (client) => {
  const [topic, payload, { qos, retain }] = await once(client, "message")
  return [topic, payload.length < 100 ? payload.toString() : payload.length, qos, retain]
}

const one = await connect("one", { will: { topic: "left", payload: "one", qos: 1 } })
const two = await connect("two")
await two.subscribeAsync(["news/#", "left"], { qos: 2 })
for (const qos of [0, 1, 2]) {
  const received = message(two)
  await one.publishAsync(`news/${qos}`, `quality ${qos} ✓`, { qos })
  log(await received)
}
const large = message(two)
await one.publishAsync("news/large", Buffer.alloc(300_000, 7), { qos: 1 })
log(await large)

const count = 200
let sum = 0
const all = new Promise((resolve) => {
  let left = count
  two.on("message", (topic, payload) => {
    if (topic !== "news/many") return
    sum += Number(payload)
    if (--left === 0) resolve(undefined)
  })
})
for (let at = 0; at < count; at++) one.publish("news/many", String(at))
await all
log(sum)
two.removeAllListeners("message")

// The answer to a ping of MQTT, after a second without anything else.
const response = once(one, "packetreceive", { signal: AbortSignal.timeout(5000) })
await one.publishAsync("kept", "for later", { retain: true, qos: 1 })
await response
const retained = message(two)
await two.subscribeAsync("kept")
log(await retained)

const reconnected = once(two, "connect")
for (const stream of streams) stream.destroy()
await reconnected
log("reconnected")

await one.endAsync()
await two.endAsync()
broker.close()
server.close()
web.close()
