/** A program that imports the class alone, for a bundler. */
import WebSocket from "../../src/ws/index.ts"

export default WebSocket
