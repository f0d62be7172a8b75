/** ethers' WebSocketProvider and a node that answers JSON-RPC: calls, batches of them, a subscription, its end. */
import { WebSocketProvider } from "ethers"
import { WebSocket } from "ws"
import { log } from "./support.ts"
import { serveChain } from "./chain.mjs"

const { block, close, url } = await serveChain(log)
const provider = new WebSocketProvider(new WebSocket(url))
log((await provider.getNetwork()).chainId.toString(), await provider.getBlockNumber())
log(await Promise.all(Array.from({ length: 20 }, (_, at) => provider.getBalance(`0x${String(at).padStart(40, "0")}`))))
const seen = new Promise((resolve) => {
  const numbers = []
  provider.on("block", (number) => {
    numbers.push(number)
    if (numbers.length === 3) resolve(numbers)
  })
})
await block(3)
log(await seen)
log(await provider.send("eth_unknown", []).catch(({ error, message }) => error?.message ?? message))
await provider.destroy()
await close()
