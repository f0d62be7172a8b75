/** Serves a folder over HTTP, as GitHub's pages do: a path without an extension is that of a page. */
import { once } from "node:events"
import { readFileSync, statSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { extname, join, normalize } from "node:path"

const types: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".txt": "text/plain",
  ".woff2": "font/woff2"
}

/** The file of a path, or `undefined`. */
export const fileOf = (folder: string, path: string): string | undefined => {
  const file = join(folder, normalize(decodeURIComponent(path)))
  return [file, `${file}.html`, join(file, "index.html")].find((file) =>
    statSync(file, { throwIfNoEntry: false })?.isFile()
  )
}

export interface Served {
  readonly url: string
  readonly close: () => void
}

export const serve = async (folder: string): Promise<Served> => {
  const server = createServer((request, response) => {
    const file = fileOf(folder, new URL(request.url ?? "/", "http://localhost").pathname)
    if (file === undefined) {
      response.writeHead(404).end()
      return
    }
    response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" })
    response.end(readFileSync(file))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.close()
      server.closeAllConnections()
    }
  }
}
