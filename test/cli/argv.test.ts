import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { manPage } from "../../src/internal/cli/help/manPage.ts"
import { answer } from "../../src/internal/cli/help/answer.ts"
import { read } from "../../src/internal/cli/options/argv.ts"
import { exitCode } from "../../src/internal/cli/errors/exitCode.ts"
import { briefText, helpText } from "../../src/internal/cli/help/help.ts"
import { commandDefinitions, optionsOf } from "../../src/internal/cli/options/definitions.ts"
import { original } from "./support/program.ts"

/** The options of a command line in one form, `--name=value`, then what else it has. */
const argsOf = (...argv: ReadonlyArray<string>): ReadonlyArray<string> => {
  const invocation = read(argv)
  assert.strictEqual(invocation._tag, "Run", JSON.stringify(invocation))
  if (invocation._tag !== "Run") return []
  const { command, given, operands } = invocation
  const options = given.map(({ name, value }) => (value === undefined ? `--${name}` : `--${name}=${value}`))
  return [...(command === undefined ? [] : [command]), ...options, ...operands]
}

const problemOf = (...argv: ReadonlyArray<string>): string => {
  const invocation = read(argv)
  assert.strictEqual(invocation._tag, "Invalid", JSON.stringify(invocation))
  return invocation._tag === "Invalid" ? `${invocation.message}; ${invocation.hint}` : ""
}

describe("the command line", () => {
  it("takes values that begin with a dash", () => {
    assert.deepStrictEqual(argsOf("-c", "u", "-x", "-hello", "-w", "-1"), [
      "--connect=u",
      "--execute=-hello",
      "--wait=-1"
    ])
    assert.deepStrictEqual(argsOf("-c", "u", "-x", "--help"), ["--connect=u", "--execute=--help"])
    assert.deepStrictEqual(argsOf("-c", "u", "-x", "--"), ["--connect=u", "--execute=--"])
    assert.deepStrictEqual(argsOf("-c", "u", "-x", "a=b"), ["--connect=u", "--execute=a=b"])
  })

  it("takes a passphrase that stands behind it, and asks for one that is left out", () => {
    assert.deepStrictEqual(argsOf("-c", "u", "--passphrase", "secret"), ["--connect=u", "--passphrase=secret"])
    assert.deepStrictEqual(argsOf("--passphrase", "-c", "u"), ["--passphrase", "--connect=u"])
    assert.deepStrictEqual(argsOf("-c", "u", "--passphrase"), ["--connect=u", "--passphrase"])
    assert.deepStrictEqual(argsOf("-c", "u", "--passphrase="), ["--connect=u", "--passphrase="])
  })

  it("takes numbers that may be left out", () => {
    assert.deepStrictEqual(argsOf("--max-redirects", "3", "-c", "u"), ["--max-redirects=3", "--connect=u"])
    assert.deepStrictEqual(argsOf("--max-redirects", "-c", "u"), ["--max-redirects", "--connect=u"])
    assert.deepStrictEqual(argsOf("--retry", "u"), ["--retry", "--connect=u"])
    assert.deepStrictEqual(argsOf("--retry", "-1", "u"), ["--retry=-1", "--connect=u"])
  })

  it("takes clusters of short options, with a value at their end", () => {
    assert.deepStrictEqual(argsOf("-nLPc", "u"), ["--no-check", "--location", "--show-ping-pong", "--connect=u"])
    assert.deepStrictEqual(argsOf("-ncu", "-p8"), ["--no-check", "--connect=u", "--protocol=8"])
    assert.deepStrictEqual(argsOf("-c=u", "-x=-a=b"), ["--connect=u", "--execute=-a=b"])
  })

  it("takes a URL without an option", () => {
    assert.deepStrictEqual(argsOf("localhost:8080", "-x", "a"), ["--execute=a", "--connect=localhost:8080"])
    assert.deepStrictEqual(argsOf("--", "-odd"), ["--connect=-odd"])
    assert.deepStrictEqual(argsOf("bench", "u", "--size", "1"), ["bench", "--size=1", "u"])
  })

  it("lets the last of several values count, unless they add up", () => {
    assert.deepStrictEqual(argsOf("-c", "a", "-c", "b"), ["--connect=b"])
    assert.deepStrictEqual(argsOf("-c", "u", "-s", "a", "-s", "b"), [
      "--connect=u",
      "--subprotocol=a",
      "--subprotocol=b"
    ])
  })

  it("answers -h and --help, -V and --version, wherever they stand", () => {
    for (const argv of [["-h"], ["--help"], ["-c", "u", "-h"], []]) assert.strictEqual(read(argv)._tag, "Help")
    for (const argv of [["-V"], ["--version"], ["-c", "u", "-nV"]]) assert.strictEqual(read(argv)._tag, "Version")
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
    assert.deepStrictEqual(answer(["-V"]), { to: "output", text: `${version}\n`, exitCode: 0 })
    assert.include(answer(["bench", "-h"])?.text ?? "", "Usage: wscat bench")
  })

  it("says what is wrong, and what may have been meant", () => {
    assert.match(problemOf("--conect", "u"), /there is no option --conect; did you mean --connect\?/)
    assert.match(problemOf("-c", "u", "-y"), /there is no option -y; wscat --help/)
    assert.match(problemOf("-c"), /-c needs a value, <url>/)
    assert.match(problemOf("-x", "a"), /use either --listen or --connect/)
    assert.match(problemOf("-c", "u", "-l", "1"), /use either --listen or --connect/)
    assert.match(problemOf("--slash=yes", "-c", "u"), /--slash takes no value/)
    assert.match(problemOf("u", "v"), /unexpected argument: v/)
    assert.match(problemOf("u", "bench"), /a subcommand comes first/)
    assert.match(problemOf("u", "-c", "v"), /two URLs/)
    assert.match(problemOf("doctor"), /wscat doctor needs a URL/)
    assert.match(problemOf("bench", "u", "--slash"), /there is no option --slash; wscat bench --help/)
    assert.strictEqual(answer(["--nonsense"])?.exitCode, 2)
  })
})

/** An option that a help of commander's lists. */
interface Listed {
  readonly short: string | undefined
  readonly name: string
  readonly takes: "nothing" | "one" | "any"
}

/** What such a help lists: `-x, --execute <command>`, or without the short one. */
const listed = (help: string): ReadonlyArray<Listed> =>
  [...help.matchAll(/^ {2}(?:-(\w), )?--([\w-]+)(?: ([<[])[^\n]*?[>\]](?= {2}|$))?/gm)].map(
    ([, short, name = "", value]) => ({
      short,
      name,
      takes: value === undefined ? "nothing" : value === "<" ? "one" : "any"
    })
  )

describe("wscat 6.1", () => {
  const flags = listed(execFileSync(process.execPath, [original, "--help"], { encoding: "utf8" }))

  it("has the flags that it should: the test can read its help", () => {
    assert.strictEqual(flags.length, 23)
    const flag = (wanted: string) => flags.find(({ name }) => name === wanted)
    assert.deepStrictEqual(flag("execute"), { short: "x", name: "execute", takes: "one" })
    assert.deepStrictEqual(flag("passphrase"), { short: undefined, name: "passphrase", takes: "any" })
    assert.deepStrictEqual(flag("no-check"), { short: "n", name: "no-check", takes: "nothing" })
  })

  for (const { name, short, takes } of flags) {
    it(`--${name} has its name, its short form and its value here, too`, () => {
      const word = optionsOf(commandDefinitions[0]).find((word) => word.name === name)
      assert.strictEqual(word?.short, short)
      assert.strictEqual(
        word?.value === undefined ? "nothing" : word.optionalValue === undefined ? "one" : "any",
        takes
      )
      if (name === "help" || name === "version") return
      const value = { port: "1", protocol: "13", "max-redirects": "5", wait: "-1", listen: "80" }[name] ?? "-value"
      const other = name === "listen" ? [] : name === "connect" ? [] : ["-c", "u"]
      for (const given of [`--${name}`, ...(short === undefined ? [] : [`-${short}`])]) {
        const parts = takes === "one" ? [given, value] : [given]
        const expected = takes === "one" ? `--${name}=${value}` : `--${name}`
        assert.include(argsOf(...other, ...parts), expected)
      }
      if (takes === "any") assert.include(argsOf(...other, `--${name}`, "5"), `--${name}=5`)
    })
  }
})

/** The page, where each option of the ancestors stands in a table. */
const page = readFileSync(new URL("../../docs/wscat.md", import.meta.url), "utf8")

describe("the page", () => {
  it("has every option of wscat 6.1 and its short form in its table", () => {
    const rows = page.split("\n").filter((line) => line.startsWith("| `"))
    for (const { name, short } of listed(execFileSync(process.execPath, [original, "--help"], { encoding: "utf8" }))) {
      const given = short === undefined ? `\`--${name}` : `\`-${short}, --${name}`
      assert.isTrue(
        rows.some((row) => row.includes(given)),
        given
      )
    }
  })

  it("names no option that isn't there, and neither do the recipes", () => {
    const recipes = readFileSync(new URL("../../docs/wscat-cookbook.md", import.meta.url), "utf8")
    const commands = recipes.split("\n").filter((line) => line.includes("wscat "))
    const own = [
      page.slice(0, page.indexOf("## The options of its ancestors")),
      ...commands.map((line) => `\`${line}\``)
    ].join("\n")
    const known = new Set(commandDefinitions.flatMap((verb) => optionsOf(verb).map(({ name }) => name)))
    for (const [, name = ""] of own.matchAll(/`[^`\n]*?--([a-z][\w-]*)/g)) assert.include([...known], name)
  })

  it("has every exit code in its table", () => {
    for (const code of Object.values(exitCode)) assert.match(page, new RegExp(`^\\| ${code} +\\|`, "m"))
  })
})

describe("wscat of 2012", () => {
  // The table in ws 0.4's bin/wscat.
  const flags: ReadonlyArray<readonly [short: string | undefined, name: string, takes: boolean]> = [
    ["l", "listen", true],
    ["c", "connect", true],
    ["p", "protocol", true],
    ["o", "origin", true],
    [undefined, "host", true],
    ["s", "subprotocol", true],
    ["n", "no-check", false],
    ["H", "header", true],
    [undefined, "auth", true],
    ["V", "version", false],
    ["h", "help", false]
  ]
  for (const [short, name, takes] of flags) {
    it(`--${name} is here, too`, () => {
      const word = optionsOf(commandDefinitions[0]).find((word) => word.name === name)
      assert.strictEqual(word?.short, short)
      assert.strictEqual(word?.value !== undefined, takes)
    })
  }
})

describe("the short help", () => {
  for (const command of commandDefinitions) {
    it(`of wscat ${command.name ?? "itself"} has 25 lines at most, of 80 columns`, () => {
      const lines = briefText(command).trimEnd().split("\n")
      assert.isAtMost(lines.length, 25)
      for (const line of lines) assert.isAtMost(line.length, 80, line)
    })
  }

  it("is what -h gives, and --help gives all", () => {
    assert.notInclude(answer(["-h"])?.text ?? "", "--max-payload")
    assert.include(answer(["--help"])?.text ?? "", "--max-payload")
    assert.include(answer(["-h", "--help"])?.text ?? "", "--max-payload")
  })
})

describe("the page of the manual", () => {
  const text = manPage("1.2.3")

  it("has every option and every exit code", () => {
    for (const { name } of commandDefinitions.flatMap(optionsOf)) {
      assert.include(text, `\\fB\\-\\-${name.replaceAll("-", "\\-")}\\fR`)
    }
    for (const code of Object.values(exitCode)) assert.include(text, `.TP\n.B ${code}\n`)
    assert.match(text, /^\.TH WSCAT 1 "" "wscat 1\.2\.3"\n/)
  })

  it("has no line that roff takes for a request but those that are", () => {
    for (const line of text.split("\n")) if (/^[.']/.test(line)) assert.match(line, /^\.(?:TH|SH|SS|TP|PP|B|br)(?: |$)/)
  })
})

describe("the help", () => {
  for (const verb of commandDefinitions) {
    const text = helpText(verb)

    it(`of wscat ${verb.name ?? "itself"} fits 80 columns, and lists every option once`, () => {
      for (const line of text.split("\n")) assert.isAtMost(line.length, 80, line)
      for (const { name, short } of optionsOf(verb)) {
        const mark = short === undefined ? `      --${name}` : `  -${short}, --${name}`
        assert.lengthOf(text.match(new RegExp(`^${mark}(?= |$)`, "gm")) ?? [], 1, name)
      }
    })
  }

  it("gives no name to two options", () => {
    for (const verb of commandDefinitions) {
      const names = optionsOf(verb).flatMap(({ name, short }) => [name, ...(short === undefined ? [] : [short])])
      assert.lengthOf(new Set(names), names.length)
    }
  })
})
