import { WebSocket } from "ws"
import { connectWith } from "./callbacks.ts"

connectWith(WebSocket)
