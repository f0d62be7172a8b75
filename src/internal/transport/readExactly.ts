import type { Duplex } from "node:stream"

/**
 * Reads until there are `size` bytes, `head` among them, and leaves the socket paused; `done` gets `undefined` when the socket
 * closes before. Returns a function that stops reading; `done` is not called after it.
 */
export const readExactly = (
  socket: Duplex,
  head: Buffer,
  size: number,
  done: (bytes: Buffer | undefined) => void
): (() => void) => {
  let bytes = head
  const stop = (): void => {
    socket.off("data", onData)
    socket.off("close", onClose)
  }
  const onData = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk])
    if (bytes.length < size) return
    socket.pause()
    stop()
    done(bytes)
  }
  const onClose = (): void => {
    stop()
    done(undefined)
  }
  if (head.length >= size) {
    done(head)
    return stop
  }
  socket.on("data", onData)
  socket.on("close", onClose)
  socket.resume()
  return stop
}
