/** How values that may hold secrets show themselves as JSON and to `util.inspect`, and so in logs. */

const inspect = Symbol.for("nodejs.util.inspect.custom")

/** Returns a prototype whose objects are shown as their summary. */
export const summaryPrototype = <T extends object>(summary: (self: T) => object): object => {
  const show = function (this: T): object {
    return summary(this)
  }
  return Object.create(Object.prototype, { toJSON: { value: show }, [inspect]: { value: show } })
}

/** Returns an object with the given fields that is shown as the prototype's summary. */
export const summarized = <T extends object>(prototype: object, fields: T): T =>
  Object.assign(Object.create(prototype), fields)

/** The path of a request target: a query may hold a token. */
export const pathOnly = (target: string): string => target.replace(/[?#].*$/s, "")

/** The names of header fields, whose values may be secrets. */
export const namesOf = (headers: object): string =>
  (Array.isArray(headers) ? headers.map(([name]) => String(name)) : Object.keys(headers)).join(", ")

/** The start of a text that a peer chose. */
export const startOf = (text: string | undefined): string | undefined =>
  text === undefined || text.length <= 100 ? text : `${text.slice(0, 100)}…`
