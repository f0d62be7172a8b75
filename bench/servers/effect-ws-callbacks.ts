// This library's callback face, under the very program that `ws` runs.
import type { WebSocketServer } from "ws"
import { serve } from "./callbacks.ts"

const builtFace: string = "effect-ws/ws"
const face: { readonly WebSocketServer: typeof WebSocketServer } = await import(builtFace)

serve(face.WebSocketServer)
