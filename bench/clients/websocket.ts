import { createRequire } from "node:module"
import { drive, fail, mode, unsupported } from "./program.ts"

interface Connection {
  readonly on: {
    (event: "message", listener: (message: Message) => void): void
    (event: "close", listener: () => void): void
    (event: "error", listener: (error: Error) => void): void
  }
  readonly sendUTF: (text: string) => void
  readonly sendBytes: (bytes: Buffer) => void
  readonly close: () => void
}

type Message =
  | { readonly type: "utf8"; readonly utf8Data: string }
  | { readonly type: "binary"; readonly binaryData: Buffer }

interface Client {
  readonly on: {
    (event: "connect", listener: (connection: Connection) => void): void
    (event: "connectFailed", listener: (error: Error) => void): void
  }
  readonly connect: (url: string) => void
}

const library: {
  readonly client: new (options: {
    readonly maxReceivedFrameSize: number
    readonly maxReceivedMessageSize: number
    readonly fragmentOutgoingMessages: boolean
  }) => Client
} = createRequire(import.meta.url)("websocket")

const largestMessage = 1_048_576

if (mode.compression !== "off") unsupported("has no permessage-deflate")

drive((url, listener) => {
  const client = new library.client({
    maxReceivedFrameSize: largestMessage,
    maxReceivedMessageSize: largestMessage,
    fragmentOutgoingMessages: false
  })
  client.on("connectFailed", (error) => fail(String(error)))
  client.on("connect", (connection) => {
    connection.on("error", (error) => fail(String(error)))
    connection.on("close", () => listener.onClose())
    connection.on("message", (message) =>
      listener.onMessage(message.type === "utf8" ? message.utf8Data : message.binaryData)
    )
    listener.onOpen({
      send: (data) => {
        if (typeof data === "string") connection.sendUTF(data)
        else connection.sendBytes(Buffer.from(data.buffer, data.byteOffset, data.byteLength))
      },
      close: () => connection.close()
    })
  })
  client.connect(url)
})
