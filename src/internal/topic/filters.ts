import type { Group } from "./group.ts"
import { isPattern } from "./name.ts"

/** Where a pattern goes on: by one segment or by any, or where it ends, or by all that are left. */
interface Node {
  readonly segments: Map<string, Node>
  any: Node | undefined
  here: Group | undefined
  rest: Group | undefined
}

const makeNode = (): Node => ({ segments: new Map(), any: undefined, here: undefined, rest: undefined })

const isBare = ({ any, here, rest, segments }: Node): boolean =>
  any === undefined && here === undefined && rest === undefined && segments.size === 0

/** The groups by their filters, and which of them a name belongs to. */
export class Filters {
  private readonly groups = new Map<string, Group>()
  private readonly root = makeNode()
  private patterns = 0

  get size(): number {
    return this.groups.size
  }

  keys(): IterableIterator<string> {
    return this.groups.keys()
  }

  values(): IterableIterator<Group> {
    return this.groups.values()
  }

  get(filter: string): Group | undefined {
    return this.groups.get(filter)
  }

  add(group: Group): void {
    const { filter } = group
    this.groups.set(filter, group)
    if (!isPattern(filter)) return
    this.patterns++
    const segments = filter.split(".")
    const rest = segments.at(-1) === ">"
    if (rest) segments.pop()
    let node = this.root
    for (const segment of segments) {
      if (segment === "*") {
        node = node.any ??= makeNode()
      } else {
        let next = node.segments.get(segment)
        if (next === undefined) node.segments.set(segment, (next = makeNode()))
        node = next
      }
    }
    if (rest) node.rest = group
    else node.here = group
  }

  delete({ filter }: Group): void {
    if (!this.groups.delete(filter) || !isPattern(filter)) return
    this.patterns--
    prune(this.root, filter.split("."), 0)
  }

  /** The groups whose filter stands for a valid name. */
  matching(name: string): ReadonlyArray<Group> {
    const exact = this.groups.get(name)
    if (this.patterns === 0) return exact === undefined ? [] : [exact]
    const found: Array<Group> = exact === undefined ? [] : [exact]
    collect(this.root, name.split("."), 0, found)
    return found
  }
}

const collect = (node: Node, segments: ReadonlyArray<string>, at: number, found: Array<Group>): void => {
  const segment = segments[at]
  if (segment === undefined) {
    if (node.here !== undefined) found.push(node.here)
    return
  }
  if (node.rest !== undefined) found.push(node.rest)
  if (node.any !== undefined) collect(node.any, segments, at + 1, found)
  const next = node.segments.get(segment)
  if (next !== undefined) collect(next, segments, at + 1, found)
}

/** Takes a pattern out, and the nodes that only it needed. */
const prune = (node: Node, segments: ReadonlyArray<string>, at: number): void => {
  const segment = segments[at]
  if (segment === undefined) {
    node.here = undefined
  } else if (segment === ">") {
    node.rest = undefined
  } else {
    const next = segment === "*" ? node.any : node.segments.get(segment)
    if (next === undefined) return
    prune(next, segments, at + 1)
    if (!isBare(next)) return
    if (segment === "*") node.any = undefined
    else node.segments.delete(segment)
  }
}
