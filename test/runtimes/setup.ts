/** What vitest needs of a worker, and Deno's hasn't got: it lets go of its listeners at the end. */
import { parentPort } from "node:worker_threads"

if ("Deno" in globalThis && parentPort !== null) parentPort.removeAllListeners = () => parentPort ?? process.exit(1)
