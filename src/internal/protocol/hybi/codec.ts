import type { Capabilities, Codec, Decoder, DecoderOptions, Encoder, FrameSink, Role } from "../codec.ts"
import { HybiDecoder } from "./decoder.ts"
import { HybiClientEncoder, HybiServerEncoder } from "./encoder.ts"

const capabilities: Capabilities = {
  binary: true,
  ping: true,
  closeCode: true,
  fragments: true,
  masking: true,
  extensions: true
}

const serverEncoder: Encoder = new HybiServerEncoder()
const clientEncoder: Encoder = new HybiClientEncoder()

/** Decoders that wait for a connection that has something to read. */
const resting: Array<HybiDecoder> = []
const mostResting = 8

const nowhere: FrameSink = { message: () => undefined, fragment: () => undefined, control: () => undefined }

const takeDecoder = (sink: FrameSink, options: DecoderOptions): Decoder => {
  const decoder = resting.pop()
  if (decoder?.options !== options) return new HybiDecoder(sink, options)
  decoder.serve(sink)
  return decoder
}

const recycle = (decoder: Decoder): void => {
  if (!(decoder instanceof HybiDecoder) || resting.length === mostResting) return
  decoder.serve(nowhere)
  resting.push(decoder)
}

/** The framing of RFC 6455 §5, which the drafts HyBi-07 to HyBi-17 share. */
export const hybi: Codec = {
  capabilities,
  decoder: takeDecoder,
  recycle,
  encoder: (role: Role) => (role === "server" ? serverEncoder : clientEncoder)
}

/**
 * The same framing, with masking keys from `nextKey`: the key of the next frame, its first byte in the lowest bits. They
 * have to be unpredictable (RFC 6455 §10.3).
 */
export const hybiWithKeys = (nextKey: () => number): Codec => ({
  ...hybi,
  encoder: (role: Role) => (role === "server" ? serverEncoder : new HybiClientEncoder(nextKey))
})
