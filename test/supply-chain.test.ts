// What users install: no code runs at install time, and nothing comes along that they didn't ask for.
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { parse } from "yaml"
import { dated } from "../scripts/version.ts"

const root = new URL("../", import.meta.url)

const read = (path: string): string => readFileSync(new URL(path, root), "utf8")

interface Package {
  readonly dependencies?: Record<string, string>
  readonly optionalDependencies?: Record<string, string>
  readonly peerDependencies?: Record<string, string>
  readonly peerDependenciesMeta?: Record<string, { readonly optional?: boolean }>
  readonly bundleDependencies?: unknown
  readonly scripts?: Record<string, string>
  readonly files?: ReadonlyArray<string>
}

interface Locked extends Package {
  readonly hasInstallScript?: boolean
  readonly resolved?: string
  /** A package of this repository. */
  readonly link?: boolean
  readonly integrity?: string
}

const own: Package = JSON.parse(read("package.json"))
const { packages }: { readonly packages: Record<string, Locked> } = JSON.parse(read("package-lock.json"))

/** Where a package that another one asks for lies: as near to it as there is one. */
const find = (name: string, from: string): string | undefined => {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const path = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`
    if (packages[path] !== undefined) return path
    if (folder === "") return undefined
  }
}

/** Everything that comes with the package: what it and its peers ask for, but for what is optional to ask for. */
const installed = (): ReadonlySet<string> => {
  const found = new Set<string>()
  const visit = (asking: Package, from: string): void => {
    const peers = Object.keys(asking.peerDependencies ?? {}).filter(
      (name) => asking.peerDependenciesMeta?.[name]?.optional !== true
    )
    const names = [asking.dependencies, asking.optionalDependencies].flatMap((names) => Object.keys(names ?? {}))
    for (const name of [...names, ...peers]) {
      const path = find(name, from)
      const entry = path === undefined ? undefined : packages[path]
      if (path === undefined || entry === undefined || found.has(path)) continue
      found.add(path)
      visit(entry, path)
    }
  }
  visit(own, "")
  return found
}

describe("what users install", () => {
  it("has no dependencies but its peers", () => {
    assert.isUndefined(own.dependencies)
    assert.isUndefined(own.optionalDependencies)
    assert.isUndefined(own.bundleDependencies)
    assert.includeMembers([...installed()], ["node_modules/effect", "node_modules/@effect/platform-node"])
  })

  it("runs no code when it is installed, nor do its peers and what they bring", () => {
    // https://docs.npmjs.com/cli/v11/using-npm/scripts: what npm runs for a package that is installed as a dependency.
    for (const name of ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"]) {
      assert.isUndefined(own.scripts?.[name], name)
    }
    // npm would build it without being asked to.
    assert.isFalse(existsSync(new URL("binding.gyp", root)))
    const running = [...installed()].filter((path) => packages[path]?.hasInstallScript === true)
    assert.deepStrictEqual(running, [])
  })

  it("is code and documents, and no tests or tools", () => {
    assert.deepStrictEqual([...(own.files ?? [])].sort(), [
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "bin",
      "dist",
      "docs",
      "examples",
      "llms.txt",
      "src"
    ])
  })
})

describe("the lockfile", () => {
  it("has a hash of every package, and none from elsewhere than the registry", () => {
    for (const [path, { integrity, link, resolved }] of Object.entries(packages)) {
      if (path === "" || path.startsWith("packages/") || link === true) continue
      assert.match(integrity ?? "", /^sha512-/, path)
      // It stands there for those alone that don't come from the registry that npm is set to.
      assert.match(resolved ?? "https://registry.npmjs.org/", /^https:\/\/registry\.npmjs\.org\//, path)
    }
  })

  it("says of those that run code when they are installed whether they may", () => {
    const allowed: Record<string, boolean> = JSON.parse(read("package.json")).allowScripts
    const running = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript === true)
    for (const [path] of running) assert.property(allowed, path.replace(/^.*node_modules\//, ""))
  })
})

const Step = Schema.Struct({
  uses: Schema.optionalKey(Schema.String),
  run: Schema.optionalKey(Schema.String),
  with: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown))
})

const Bumps = Schema.Record(Schema.String, Schema.Literals(["patch", "minor", "major"]))

const Permissions = Schema.Record(Schema.String, Schema.Literals(["read", "write", "none"]))

const Workflow = Schema.Struct({
  on: Schema.Record(Schema.String, Schema.Unknown),
  permissions: Permissions,
  concurrency: Schema.Struct({ group: Schema.String, "cancel-in-progress": Schema.optionalKey(Schema.Unknown) }),
  jobs: Schema.Record(
    Schema.String,
    Schema.Struct({
      "timeout-minutes": Schema.Number,
      permissions: Schema.optionalKey(Permissions),
      strategy: Schema.optionalKey(
        Schema.Struct({
          matrix: Schema.Record(Schema.String, Schema.Array(Schema.Union([Schema.String, Schema.Number])))
        })
      ),
      steps: Schema.Array(Step)
    })
  )
})

const folder = ".github/workflows/"

/** Every workflow by its file. A workflow that lacks permissions, a concurrency group or a limit of time doesn't parse. */
const workflows = new Map(
  readdirSync(new URL(folder, root)).map((file) => [
    file,
    Schema.decodeUnknownSync(Workflow)(parse(read(`${folder}${file}`)))
  ])
)

const workflow = (file: string): typeof Workflow.Type => {
  const found = workflows.get(file)
  if (found === undefined) throw new Error(`there is no workflow ${file}`)
  return found
}

const stepsOf = ({ jobs }: typeof Workflow.Type): ReadonlyArray<typeof Step.Type> =>
  Object.values(jobs).flatMap(({ steps }) => steps)

describe("the workflows", () => {
  it("pin each action by the hash of a commit, with its version beside it", () => {
    for (const [file, content] of workflows) {
      for (const { uses } of stepsOf(content)) {
        if (uses !== undefined) assert.match(uses, /^[\w./-]+@[0-9a-f]{40}$/, file)
      }
      // A comment is no part of the parsed document; Dependabot moves it with the hash.
      for (const [, line = ""] of read(`${folder}${file}`).matchAll(/uses: (.*)/g)) assert.match(line, / # v\d/, file)
    }
  })

  it("use one hash for each action", () => {
    const hashes = new Map<string, string>()
    for (const [file, content] of workflows) {
      for (const { uses } of stepsOf(content)) {
        // The parts of one repository, such as codeql-action/init, are one action.
        const [, name = "", hash = ""] = /^([^/]+\/[^/@]+)[^@]*@(.*)$/.exec(uses ?? "") ?? []
        assert.strictEqual(hash, hashes.get(name) ?? hash, `${name} in ${file}`)
        hashes.set(name, hash)
      }
    }
  })

  it("may only read, and write what a job names", () => {
    const writing = new Map([
      ["publish.yml", ["id-token"]],
      ["codeql.yml", ["security-events"]],
      ["scorecard.yml", ["security-events", "id-token"]],
      ["site.yml", ["pages", "id-token"]]
    ])
    for (const [file, content] of workflows) {
      assert.deepStrictEqual(content.permissions, { contents: "read" }, file)
      const written = Object.values(content.jobs).flatMap(({ permissions = {} }) =>
        Object.keys(permissions).filter((name) => permissions[name] === "write")
      )
      assert.sameMembers(written, writing.get(file) ?? [], file)
    }
  })

  it("keep no credentials in a checkout, and use no secret", () => {
    for (const [file, content] of workflows) {
      for (const { uses = "", with: options = {} } of stepsOf(content)) {
        if (uses.startsWith("actions/checkout@")) assert.strictEqual(options["persist-credentials"], false, file)
      }
      assert.notMatch(read(`${folder}${file}`), /secrets\.|NODE_AUTH_TOKEN/, file)
      // A pull request from a fork must not run with the permissions of this repository.
      assert.notProperty(content.on, "pull_request_target", file)
    }
  })

  it("run each step of .ci/run, on each system, with each Node", () => {
    const { jobs } = workflow("ci.yml")
    const run = (jobs["steps"]?.strategy?.matrix["steps"] ?? []).flatMap((names) => String(names).split(" "))
    const alone = [...read(".ci/run").matchAll(/^ {2}"(\S+) +alone /gm)].map(([, name = ""]) => name)
    assert.isAbove(alone.length, 10)
    assert.sameMembers(run, alone)
    const systems = ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert.deepStrictEqual(jobs["systems"]?.strategy?.matrix, { system: systems, node: [22, 24, 26] })
    assert.deepStrictEqual(jobs["node-20"]?.strategy?.matrix, { system: systems })
  })

  it("publish with provenance, after every check", () => {
    const steps = stepsOf(workflow("publish.yml")).flatMap(({ run }) => (run === undefined ? [] : [run]))
    const order = [".ci/run", "npm run soak", "npm audit signatures", "npm publish --provenance"].map((command) =>
      steps.findIndex((run) => run.startsWith(command))
    )
    assert.notInclude(order, -1)
    assert.deepStrictEqual(
      order.toSorted((a, b) => a - b),
      order
    )
    assert.strictEqual(steps.at(-1), "npm publish --provenance --access public --workspaces")
  })
})

describe("the packages", () => {
  const folders = [".", ...readdirSync(new URL("packages/", root)).map((name) => `packages/${name}`)]

  it("are workspaces, each with the version of all", () => {
    assert.deepStrictEqual(JSON.parse(read("package.json")).workspaces, [".", "packages/*"])
    assert.deepStrictEqual(JSON.parse(read(".changeset/config.json")).fixed, [["effect-ws", "@effect-ws/*"]])
    for (const folder of folders) {
      const { name, version } = JSON.parse(read(`${folder}/package.json`))
      assert.match(name, /^(?:effect-ws|@effect-ws\/[a-z]+)$/)
      assert.strictEqual(version, JSON.parse(read("package.json")).version, folder)
    }
  })

  it("name the repository that they come from, which npm compares with the provenance", () => {
    for (const folder of folders) {
      const { author, bugs, homepage, repository } = JSON.parse(read(`${folder}/package.json`))
      const directory = folder === "." ? {} : { directory: folder }
      const url = "https://github.com/effect-ws/effect-ws"
      assert.deepStrictEqual(repository, { type: "git", url: `git+${url}.git`, ...directory }, folder)
      assert.deepStrictEqual(bugs, { url: `${url}/issues` }, folder)
      assert.match(homepage, /^https:\/\/github\.com\/effect-ws\/effect-ws/, folder)
      assert.isString(author, folder)
    }
  })
})

describe("the changesets", () => {
  it("name packages that exist, and say in one sentence or more what changes", () => {
    const names = [".", ...readdirSync(new URL("packages/", root)).map((name) => `packages/${name}`)].map(
      (folder) => JSON.parse(read(`${folder}/package.json`)).name
    )
    const files = readdirSync(new URL(".changeset/", root)).filter((file) => file.endsWith(".md"))
    for (const file of files) {
      const [, head = "", text = ""] = /^---\n([^]*?)---\n([^]*)$/.exec(read(`.changeset/${file}`)) ?? []
      const bumps = Object.entries(Schema.decodeUnknownSync(Bumps)(parse(head)))
      assert.isAbove(bumps.length, 0, file)
      for (const [name] of bumps) assert.include(names, name, file)
      assert.match(text.trim(), /\.$/, file)
    }
  })
})

describe("the changelog", () => {
  it("dates each release, the newest first", () => {
    const releases = [...read("CHANGELOG.md").matchAll(/^## (.*)$/gm)].map(([, heading = ""]) => heading)
    assert.isAbove(releases.length, 0)
    for (const heading of releases) assert.match(heading, /^\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)$/)
    const dates = releases.map((heading) => heading.slice(-11, -1))
    assert.deepStrictEqual(dates.toSorted().toReversed(), dates)
  })

  it("gets the date of a new release beside its version, once", () => {
    const written = dated("# Changelog\n\n## 0.2.0\n\n- new\n\n## 0.1.0 (2026-11-28)\n", "0.2.0", "2026-12-01")
    assert.strictEqual(written, "# Changelog\n\n## 0.2.0 (2026-12-01)\n\n- new\n\n## 0.1.0 (2026-11-28)\n")
    assert.strictEqual(dated(written, "0.2.0", "2026-12-24"), written)
  })
})
