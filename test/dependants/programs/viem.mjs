/** viem's transport over WebSocket, where there is no WebSocket of the platform's: calls, a watched block, an error. */
import { log } from "./support.ts"
import { serveChain } from "./chain.mjs"

delete globalThis.WebSocket
const { createPublicClient, webSocket } = await import("viem")

const { block, close, url } = await serveChain(log)
const client = createPublicClient({ transport: webSocket(url, { retryCount: 0 }) })
log(await client.getChainId(), await client.getBlockNumber().then(String))
const addresses = Array.from({ length: 20 }, (_, at) => `0x${String(at).padStart(40, "0")}`)
log(await Promise.all(addresses.map((address) => client.getBalance({ address }))))
const seen = new Promise((resolve) => {
  const numbers = []
  const stop = client.watchBlockNumber({
    emitMissed: false,
    onBlockNumber: (number) => {
      numbers.push(String(number))
      if (numbers.length < 3) return
      stop()
      resolve(numbers)
    }
  })
})
await block(3)
log(await seen)
log(await client.request({ method: "eth_unknown" }).catch(({ details, name }) => [name, details]))
const rpc = await client.transport.getRpcClient()
rpc.close()
await close()
