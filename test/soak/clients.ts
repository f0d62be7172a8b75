// The clients of a soak, in a process of their own, with the client of `ws`: they talk, check every answer, come and go.
import { WebSocket } from "ws"
import { isMessage, messageOf } from "./messages.ts"

export interface Order {
  readonly port: number
  readonly connections: number
  /** Messages a second, of all together. */
  readonly rate: number
  /** Connections that leave, and are replaced, each second. */
  readonly churn: number
}

export interface Counters {
  readonly open: number
  readonly opened: number
  readonly closed: number
  readonly sent: number
  readonly echoed: number
  readonly wrong: number
  readonly errors: ReadonlyArray<string>
}

const order = JSON.parse(process.argv[2] ?? "{}") as Order

interface Client {
  readonly socket: WebSocket
  /** The numbers that are due, in their order. */
  readonly due: Array<number>
  leaving: boolean
}

const clients: Array<Client> = []
const errors = new Map<string, number>()
let [opened, closed, sent, echoed, wrong, number] = [0, 0, 0, 0, 0, 0]
let ending = false

const failed = (what: string): void => {
  errors.set(what, (errors.get(what) ?? 0) + 1)
}

const join = (): void => {
  const index = opened++
  const socket = new WebSocket(`ws://127.0.0.1:${order.port}/`, { perMessageDeflate: index % 3 === 0 })
  const client: Client = { socket, due: [], leaving: false }
  clients.push(client)
  socket.on("message", (data: Buffer, isBinary) => {
    const expected = client.due.shift()
    if (expected !== undefined && isMessage(expected, data, isBinary)) echoed++
    else wrong++
  })
  socket.on("error", (error) => failed(error.message))
  socket.on("close", (code) => {
    closed++
    const at = clients.indexOf(client)
    if (at >= 0) clients.splice(at, 1)
    if (client.leaving) {
      if (client.due.length > 0) failed(`left with ${client.due.length} answers due`)
    } else {
      failed(`closed by the server with ${code}`)
    }
  })
}

const talk = (): void => {
  const open = clients.filter(({ leaving, socket }) => socket.readyState === WebSocket.OPEN && !leaving)
  for (let count = order.rate / 50; count > 0 && open.length > 0; count--) {
    const client = open[Math.floor(Math.random() * open.length)]
    if (client === undefined || client.due.length > 20) continue
    client.due.push(number)
    client.socket.send(messageOf(number))
    number++
    sent++
  }
}

/** Leaves once every answer came; so what is lost shows. */
const leave = (client: Client): void => {
  client.leaving = true
  const wait = (): void => {
    const { readyState } = client.socket
    const waits = readyState === WebSocket.CONNECTING || (readyState === WebSocket.OPEN && client.due.length > 0)
    if (waits) setTimeout(wait, 20)
    else client.socket.close(1000)
  }
  wait()
}

const counters = (): Counters => ({
  open: clients.filter(({ socket }) => socket.readyState === WebSocket.OPEN).length,
  opened,
  closed,
  sent,
  echoed,
  wrong,
  errors: [...errors].map(([what, count]) => `${what} (${count})`)
})

// A hundred a tick at most: more than the backlog of a listening socket would be refused by the system.
setInterval(() => {
  if (ending) return
  for (let count = 0; clients.length < order.connections && count < 20; count++) join()
}, 20)
setInterval(() => {
  if (!ending) talk()
}, 20)
setInterval(() => {
  if (ending) return
  const staying = clients.filter(({ leaving, socket }) => !leaving && socket.readyState === WebSocket.OPEN)
  if (staying.length < order.connections / 2) return
  for (const client of staying.slice(0, order.churn)) leave(client)
}, 1000)
setInterval(() => process.send?.(counters()), 1000)

process.on("message", () => {
  ending = true
  for (const client of clients) if (!client.leaving) leave(client)
  setInterval(() => {
    if (clients.length > 0) return
    process.send?.(counters(), () => process.exit(0))
  }, 50)
})
