import { isPattern } from "./name.ts"

/** Where a pattern goes on: by one segment or by any, or where it ends, or by all that are left. */
interface Node<A> {
  readonly segments: Map<string, Node<A>>
  any: Node<A> | undefined
  here: A | undefined
  rest: A | undefined
}

/** What belongs to a filter. */
interface Filtered {
  readonly filter: string
}

const makeNode = <A>(): Node<A> => ({ segments: new Map(), any: undefined, here: undefined, rest: undefined })

const isBare = ({ any, here, rest, segments }: Node<unknown>): boolean =>
  any === undefined && here === undefined && rest === undefined && segments.size === 0

/** Things by their filters, and which of them a name belongs to. */
export class Filters<A extends Filtered> {
  private readonly all = new Map<string, A>()
  private root = makeNode<A>()
  private patterns = 0

  get size(): number {
    return this.all.size
  }

  values(): IterableIterator<A> {
    return this.all.values()
  }

  get(filter: string): A | undefined {
    return this.all.get(filter)
  }

  add(one: A): void {
    const { filter } = one
    this.all.set(filter, one)
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
    if (rest) node.rest = one
    else node.here = one
  }

  delete({ filter }: A): void {
    if (!this.all.delete(filter) || !isPattern(filter)) return
    this.patterns--
    prune(this.root, filter.split("."), 0)
  }

  clear(): void {
    this.all.clear()
    this.root = makeNode()
    this.patterns = 0
  }

  /** Those whose filter stands for a valid name. */
  matching(name: string): ReadonlyArray<A> {
    const exact = this.all.get(name)
    if (this.patterns === 0) return exact === undefined ? [] : [exact]
    const found: Array<A> = exact === undefined ? [] : [exact]
    collect(this.root, name.split("."), 0, found)
    return found
  }
}

const collect = <A>(node: Node<A>, segments: ReadonlyArray<string>, at: number, found: Array<A>): void => {
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
const prune = <A>(node: Node<A>, segments: ReadonlyArray<string>, at: number): void => {
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
