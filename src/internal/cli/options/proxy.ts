import type { CliStreams } from "../terminal/streams.ts"

/** A variable in lower or upper case; the lower case counts, as for curl, and an empty one does not. */
const variable = (env: CliStreams["env"], name: string): string | undefined =>
  env[name] || env[name.toUpperCase()] || undefined

/** Whether an entry of `NO_PROXY` names the host: `*`, a host, a domain with all below it, each with or without a port. */
const names = (entry: string, host: string, port: string): boolean => {
  const [, name = "", only] = /^(.*?)(?::(\d+))?$/.exec(entry.trim().toLowerCase()) ?? []
  if (only !== undefined && only !== port) return false
  const domain = name.replace(/^\*?\./, "")
  return name === "*" || (domain !== "" && (host === domain || host.endsWith(`.${domain}`)))
}

/**
 * The proxy that the environment names for a URL: `HTTPS_PROXY` for `wss:`, `HTTP_PROXY` for `ws:`, `ALL_PROXY` for
 * both, unless `NO_PROXY` names the host.
 */
export const environmentProxy = (url: string, env: CliStreams["env"]): string | undefined => {
  if (!URL.canParse(url) || url.startsWith("ws+unix:")) return undefined
  const { hostname, port, protocol } = new URL(url)
  const secure = protocol === "wss:" || protocol === "https:"
  const proxy = variable(env, secure ? "https_proxy" : "http_proxy") ?? variable(env, "all_proxy")
  if (proxy === undefined) return undefined
  const host = hostname.replace(/^\[(.*)\]$/, "$1").toLowerCase()
  const place = port === "" ? (secure ? "443" : "80") : port
  const excluded = (variable(env, "no_proxy") ?? "").split(",").some((entry) => names(entry, host, place))
  return excluded ? undefined : proxy
}
