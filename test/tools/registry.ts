/** A registry of npm packages with a few packages, and no others: an installation that asks for another one fails. */
import { createHash } from "node:crypto"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

export interface Published {
  readonly manifest: { readonly name: string; readonly version: string }
  /** The path of what `npm pack` made. */
  readonly archive: string
}

export interface Registry {
  readonly url: string
  readonly close: () => void
}

/** Starts one on a port of the system's choice. */
export const startRegistry = async (packages: ReadonlyArray<Published>): Promise<Registry> => {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "").slice(1)
    const asked = packages.find(({ manifest }) => path === manifest.name || path === `${manifest.name}.tgz`)
    if (asked === undefined) {
      response.writeHead(404).end("{}")
      return
    }
    const bytes = readFileSync(asked.archive)
    if (path.endsWith(".tgz")) {
      response.end(bytes)
      return
    }
    const { manifest } = asked
    const dist = {
      tarball: `${url}/${manifest.name}.tgz`,
      shasum: createHash("sha1").update(bytes).digest("hex"),
      integrity: `sha512-${createHash("sha512").update(bytes).digest("base64")}`
    }
    response.setHeader("content-type", "application/json")
    response.end(
      JSON.stringify({
        name: manifest.name,
        "dist-tags": { latest: manifest.version },
        versions: { [manifest.version]: { ...manifest, dist } },
        time: { [manifest.version]: "2020-01-01T00:00:00.000Z" }
      })
    )
  })
  server.listen(0, "localhost")
  await once(server, "listening")
  const url = `http://localhost:${(server.address() as AddressInfo).port}`
  return { url, close: () => server.close() }
}
