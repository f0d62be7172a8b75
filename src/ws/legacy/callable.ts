/**
 * Lets a class be inherited from as it was before there were classes: `util.inherits(Sub, Base)`, and `Base.call(this, …)`
 * in `Sub`. `initialise` must be all that the constructor does. Any other call without `new` throws a `TypeError`.
 */
export const callable = <Base extends abstract new (...args: never) => object>(
  base: Base,
  initialise: (self: InstanceType<Base>, ...args: ConstructorParameters<Base>) => void
): Base => {
  const isInstance = (self: unknown): self is InstanceType<Base> => self instanceof base
  const made = new Proxy(base, {
    apply(_, self: unknown, args: Array<unknown>) {
      if (!isInstance(self)) throw new TypeError(`${base.name} has to be made with new`)
      initialise(self, ...(args as ConstructorParameters<Base>))
    }
  })
  Object.defineProperty(base.prototype, "constructor", { value: made, writable: true, configurable: true })
  return made
}
