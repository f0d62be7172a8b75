// The messages that every run sends, made the same way by the process that sends them and by the one that checks them.

/** What one message carries. */
export interface Payload {
  /** Bytes of each message. */
  readonly size: number
  /** `bytes` go as binary messages, `text` and `json` as text messages. */
  readonly kind: "bytes" | "text" | "json"
}

/** A small xorshift generator: the same seed gives the same bytes in every process and runtime. */
const makeRandom = (seed: number): (() => number) => {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

const words = ["amount", "buyer", "carrier", "depot", "eastbound", "freight", "gross", "harbour", "invoice", "journey"]

const jsonMessage = (size: number, index: number): Buffer => {
  const random = makeRandom(0x9e3779b9 ^ (index * 7919))
  const rows: Array<object> = []
  const render = (): string => JSON.stringify({ sequence: index, rows, padding: "" })
  while (render().length < size - 120) {
    rows.push({
      id: random() % 1_000_000,
      label: `${words[random() % words.length]} ${words[random() % words.length]}`,
      price: (random() % 100_000) / 100,
      active: random() % 2 === 0
    })
  }
  const short = render()
  return Buffer.from(short.slice(0, -2) + "x".repeat(Math.max(0, size - short.length)) + '"}')
}

const textMessage = (size: number, index: number): Buffer => {
  const random = makeRandom(0x51f15e ^ (index * 104_729))
  let text = `message ${index}:`
  while (text.length < size) text += ` ${words[random() % words.length]}`
  return Buffer.from(text.slice(0, size))
}

const bytesMessage = (size: number, index: number): Buffer => {
  const random = makeRandom(0xc0ffee ^ (index * 65_537))
  const bytes = Buffer.allocUnsafe(size)
  for (let at = 0; at < size; at++) bytes[at] = random() >>> 24
  return bytes
}

/**
 * How many different messages one connection sends before it starts over: enough that a reordered or repeated message shows,
 * few enough that the bytes to compare with stay in the processor's cache.
 */
export const cycleLength = (payload: Payload): number =>
  payload.kind === "json" ? 20 : Math.min(128, Math.max(2, Math.floor(65_536 / payload.size)))

/** The messages of one cycle. */
export const makeCycle = (payload: Payload): ReadonlyArray<Buffer> => {
  const make = payload.kind === "bytes" ? bytesMessage : payload.kind === "text" ? textMessage : jsonMessage
  return Array.from({ length: cycleLength(payload) }, (_, index) => make(payload.size, index))
}
