/// <reference types="node" />
import { WebSocket } from "./types/ws/WebSocket.js"
export = WebSocket
