/** Whether coverage leads to the planted fault, and chance alone doesn't: a process of its own, with little to cover. */
import { fuzzGuided } from "./guided.ts"
import { planted } from "./planted.ts"

const target = { seeds: [Buffer.alloc(8)], check: planted, sources: /\/planted\.ts/ }
const guided = await fuzzGuided(target, { executions: 4000, seed: 1 })
const blind = await fuzzGuided({ ...target, sources: /nothing/ }, { executions: 4000, seed: 1 })
console.log(JSON.stringify({ guided: guided.finding ?? null, blind: blind.finding ?? null }))
