/** The opening handshake as the driver speaks it (RFC 6455 §4), over a bare TCP socket. */
import { createHash, randomBytes } from "node:crypto"
import type { Socket } from "node:net"

export interface Head {
  readonly startLine: string
  /** Names in lower case; values of a repeated header joined by commas. */
  readonly headers: ReadonlyMap<string, string>
  /** What came after the empty line. */
  readonly rest: Buffer
}

const maxHead = 64 * 1024

const parseHead = (bytes: Buffer, end: number): Head => {
  const [startLine = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n")
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(":")
    if (colon <= 0) throw new Error(`No header: ${line}`)
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const before = headers.get(name)
    headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return { startLine, headers, rest: bytes.subarray(end + 4) }
}

/** Reads up to the empty line. Fails when the connection ends before it. The socket is paused afterwards. */
export const readHead = (socket: Socket): Promise<Head> =>
  new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0)
    const settle = (act: () => void): void => {
      socket.off("data", onData)
      socket.off("close", onClose)
      socket.pause()
      act()
    }
    const onClose = (): void => settle(() => reject(new Error("The connection ended during the handshake")))
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk])
      const end = bytes.indexOf("\r\n\r\n")
      if (end < 0 && bytes.length < maxHead) return
      settle(() => {
        if (end < 0) return reject(new Error("The handshake has no end"))
        try {
          resolve(parseHead(bytes, end))
        } catch (error) {
          reject(error)
        }
      })
    }
    socket.on("data", onData)
    socket.on("close", onClose)
  })

const acceptOf = (key: string): string =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")

const hasToken = (head: Head, name: string, token: string): boolean =>
  (head.headers.get(name) ?? "")
    .split(",")
    .map((part) => part.trim().toLowerCase())
    .includes(token)

/** A client's request. */
export const writeRequest = (socket: Socket, port: number, path: string, extensions: string | undefined): string => {
  const key = randomBytes(16).toString("base64")
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${key}`,
    ...(extensions === undefined ? [] : [`Sec-WebSocket-Extensions: ${extensions}`])
  ]
  socket.write(`${lines.join("\r\n")}\r\n\r\n`)
  return key
}

/** Why a server's answer does not open the connection, or `undefined` if it does. */
export const refusal = (head: Head, key: string): string | undefined => {
  if (!head.startLine.startsWith("HTTP/1.1 101")) return `The server answered ${head.startLine}`
  if (!hasToken(head, "upgrade", "websocket")) return "No Upgrade: websocket in the answer"
  if (!hasToken(head, "connection", "upgrade")) return "No Connection: Upgrade in the answer"
  if (head.headers.get("sec-websocket-accept") !== acceptOf(key)) return "A wrong Sec-WebSocket-Accept"
  if (head.headers.has("sec-websocket-protocol")) return "A subprotocol that nobody offered"
  return undefined
}

/** What is wrong with a client's request, or `undefined`. */
export const fault = (head: Head): string | undefined => {
  if (!/^GET \S+ HTTP\/1\.1$/.test(head.startLine)) return `The client asked ${head.startLine}`
  if (!head.headers.has("host")) return "No Host in the request"
  if (!hasToken(head, "upgrade", "websocket")) return "No Upgrade: websocket in the request"
  if (!hasToken(head, "connection", "upgrade")) return "No Connection: Upgrade in the request"
  if (head.headers.get("sec-websocket-version") !== "13") return "No Sec-WebSocket-Version: 13 in the request"
  const key = head.headers.get("sec-websocket-key") ?? ""
  if (Buffer.from(key, "base64").length !== 16 || key.length !== 24) return `A bad Sec-WebSocket-Key: ${key}`
  return undefined
}

/** A server's answer that opens the connection. */
export const writeAnswer = (socket: Socket, head: Head, extensions: string | undefined): void => {
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptOf(head.headers.get("sec-websocket-key") ?? "")}`,
    ...(extensions === undefined ? [] : [`Sec-WebSocket-Extensions: ${extensions}`])
  ]
  socket.write(`${lines.join("\r\n")}\r\n\r\n`)
}
