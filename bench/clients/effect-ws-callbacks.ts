// This library's callback face, under the very program that `ws` runs.
import type { WebSocket } from "ws"
import { connectWith } from "./callbacks.ts"

const builtFace: string = "effect-ws/ws"
const face: { readonly WebSocket: typeof WebSocket } = await import(builtFace)

connectWith(face.WebSocket)
