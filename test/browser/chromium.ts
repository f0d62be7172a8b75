/** The browser of these tests, and how it is started. */
export const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium"

export const args: ReadonlyArray<string> = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]
