// The suites of both brokers of Redis with the lowest version of the package `redis` that is supported.
import { vi } from "vitest"
import "./redis-clients.test.ts"
import "./redis-streams.test.ts"
import "./redis.test.ts"

vi.mock("redis", () => vi.importActual("redis5"))
