/** What the bundle of the stand-in exports. */
import WebSocket from "../../src/ws/index.ts"

export default WebSocket
