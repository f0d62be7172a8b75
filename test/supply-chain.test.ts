// What users install: no code runs at install time, and nothing comes along that they didn't ask for.
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"

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

describe("the workflow that publishes", () => {
  const workflow = read(".github/workflows/publish.yml")

  it("does so with provenance and without a token, after every check", () => {
    assert.match(workflow, /id-token: write/)
    assert.match(workflow, /npm publish --provenance/)
    assert.notMatch(workflow, /secrets\.|NODE_AUTH_TOKEN/)
    // npm compares it with where the workflow ran.
    assert.match(workflow, /npm pkg set repository\.type=git repository\.url="git\+https:.*\$GITHUB_REPOSITORY/)
    const steps = [".ci/run", "npm run soak", "npm audit signatures", "npm pkg set", "npm publish"].map((step) =>
      workflow.indexOf(`run: ${step}`)
    )
    assert.isTrue(steps.every((at, index) => at > (steps[index - 1] ?? 0)))
  })

  it("gives its steps no more than they need", () => {
    assert.match(workflow, /^permissions:\n {2}contents: read$/m)
    assert.match(workflow, /persist-credentials: false/)
  })
})
