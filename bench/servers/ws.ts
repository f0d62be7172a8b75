import { WebSocketServer } from "ws"
import { serve } from "./callbacks.ts"

serve(WebSocketServer)
