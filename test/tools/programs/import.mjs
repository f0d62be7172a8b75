// oxlint-disable-next-line import/no-named-as-default -- it is how programs import it
import WebSocket, { WebSocketServer } from "ws"
import { exchange } from "./exchange.cjs"

console.log(JSON.stringify(await exchange(WebSocket, WebSocketServer)))
