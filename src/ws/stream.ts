import { Duplex, type DuplexOptions } from "node:stream"
import type { WebSocketLike } from "./types.ts"
import type { WebSocket } from "./WebSocket.ts"

const emitClose = (stream: Duplex): void => {
  stream.emit("close")
}

function destroyWhenBothEnded(this: Duplex): void {
  if (!this.destroyed && this.writableFinished) this.destroy()
}

/** An error nobody listens for is thrown, as that of any stream. */
function destroyOnError(this: Duplex, error: Error): void {
  this.removeListener("error", destroyOnError)
  this.destroy()
  if (this.listenerCount("error") === 0) this.emit("error", error)
}

/**
 * A duplex stream over a `WebSocket`: each chunk written is a message, each message a chunk. Text comes as strings when the
 * stream is in `readableObjectMode`, and as `Buffer`s else. `end` closes the connection, `destroy` terminates it, and
 * reading is paused while the stream is not read.
 *
 * @category constructors
 * @since 0.1.0
 */
export const createWebSocketStream = (webSocket: WebSocketLike, options?: DuplexOptions): Duplex => {
  // After an error of its own the socket sends a close frame, which `terminate` would cut off.
  let terminates = true

  const final = (callback: (error?: Error | null) => void): void => {
    if (webSocket.readyState === webSocket.CONNECTING) {
      webSocket.once("open", () => final(callback))
      return
    }
    const socket = (webSocket as WebSocket)._socket
    // The opening handshake failed: the error that is to come ends the stream.
    if (socket === null) return
    if (socket.writableFinished) {
      callback()
      if (stream.readableEnded) stream.destroy()
    } else {
      socket.once("finish", () => callback())
      webSocket.close()
    }
  }

  const write = (chunk: Buffer | string, callback: (error?: Error | null) => void): void => {
    if (webSocket.readyState === webSocket.CONNECTING) webSocket.once("open", () => write(chunk, callback))
    else webSocket.send(chunk, callback)
  }

  const stream = new Duplex({
    ...options,
    autoDestroy: false,
    emitClose: false,
    objectMode: false,
    writableObjectMode: false,
    read: () => {
      if (webSocket.isPaused) webSocket.resume()
    },
    write: (chunk, _, callback) => write(chunk, callback),
    final,
    destroy: (error, callback) => {
      if (webSocket.readyState === webSocket.CLOSED) {
        callback(error)
        process.nextTick(emitClose, stream)
        return
      }
      let called = false
      webSocket.once("error", (later) => {
        called = true
        callback(later)
      })
      webSocket.once("close", () => {
        if (!called) callback(error)
        process.nextTick(emitClose, stream)
      })
      if (terminates) webSocket.terminate()
    }
  })

  webSocket.on("message", (data, isBinary) => {
    if (!stream.push(!isBinary && stream.readableObjectMode ? String(data) : data)) webSocket.pause()
  })
  webSocket.once("error", (error) => {
    if (stream.destroyed) return
    terminates = false
    stream.destroy(error)
  })
  webSocket.once("close", () => {
    if (!stream.destroyed) stream.push(null)
  })
  stream.on("end", destroyWhenBothEnded)
  stream.on("error", destroyOnError)
  return stream
}
