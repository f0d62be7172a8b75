import * as Effect from "effect/Effect"
import type { BrokerPresence, Member } from "./model.ts"
import { lease } from "./presence.ts"
import { type Client, request } from "./redisClient.ts"

// Who is present on a topic is a hash: under each id until when the member counts, by the clock of Redis, and its name.

const nowScript = `
if redis.replicate_commands then redis.replicate_commands() end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`

const putScript = `${nowScript}
local lease, count = tonumber(ARGV[1]), tonumber(ARGV[2])
local changed = 0
for at = 3, 2 + 2 * count, 2 do
  changed = changed + redis.call('HSET', KEYS[1], ARGV[at], string.format('%.0f', now + lease) .. ':' .. ARGV[at + 1])
end
for at = 3 + 2 * count, #ARGV do changed = changed + redis.call('HDEL', KEYS[1], ARGV[at]) end
if count > 0 then redis.call('PEXPIRE', KEYS[1], lease) end
return changed
`

const listScript = `${nowScript}
local all, found = redis.call('HGETALL', KEYS[1]), {}
for at = 1, #all, 2 do
  local expires, name = string.match(all[at + 1], '^(%d+):(.*)$')
  if tonumber(expires) > now then
    found[#found + 1] = all[at]
    found[#found + 1] = name
  else
    redis.call('HDEL', KEYS[1], all[at])
  end
end
return found
`

/** Who is present, as Redis keeps it. */
export const redisPresence = (client: Client, prefix: string): BrokerPresence => {
  const keyOf = (topic: string): string => `${prefix}:presence:${topic}`
  return {
    put: (topic, members, removed) =>
      request(async () => {
        const fields = members.flatMap(({ id, name }) => [id, name])
        const args = [keyOf(topic), String(lease), String(members.length), ...fields, ...removed]
        return Number(await client.sendCommand(["EVAL", putScript, "1", ...args])) > 0
      }),
    list: (topic) =>
      Effect.map(
        request(() => client.sendCommand(["EVAL", listScript, "1", keyOf(topic)])),
        membersOf
      )
  }
}

const membersOf = (reply: unknown): ReadonlyArray<Member> => {
  const list: ReadonlyArray<unknown> = Array.isArray(reply) ? reply : []
  const members: Array<Member> = []
  for (let at = 0; at + 1 < list.length; at += 2) members.push({ id: String(list[at]), name: String(list[at + 1]) })
  return members
}
