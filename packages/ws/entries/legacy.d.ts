/// <reference types="node" />
import { WebSocket } from "./types/ws/legacy/index.js"
export = WebSocket
