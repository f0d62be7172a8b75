// What the operating system says a process used.
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"

const fromProc = (pid: number): number => {
  let nanoseconds = 0
  const tasks = `/proc/${pid}/task`
  for (const task of readdirSync(tasks)) {
    try {
      nanoseconds += Number(readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ", 1)[0])
    } catch {
      // The thread ended between the listing and the read.
    }
  }
  return nanoseconds / 1e9
}

const fromPs = (pid: number): number => {
  const parts = execFileSync("ps", ["-o", "time=", "-p", String(pid)], { encoding: "utf8" })
    .trim()
    .split(/[:-]/)
  return parts.reduce((seconds, part) => seconds * 60 + Number(part), 0)
}

/** User and system time of all threads of a process, in seconds: to the nanosecond on Linux, to 10 ms elsewhere. */
export const cpuSeconds = (pid: number): number => (process.platform === "linux" ? fromProc(pid) : fromPs(pid))

/** Resident memory of a process in bytes. */
export const residentBytes = (pid: number): number =>
  process.platform === "linux"
    ? Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024
    : Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) * 1024
