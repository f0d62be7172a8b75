import * as Predicate from "effect/Predicate"

/**
 * The property that marks sockets of this library.
 *
 * @category type IDs
 * @since 0.2.0
 */
export const TypeId = "~effect-ws/Socket"

/**
 * The mark of a socket. A member of a class isn't part of a spread, so a copy such as `{ ...socket }`, which lacks what a socket
 * inherits, is no socket to the compiler either.
 */
export declare abstract class SocketMark {
  get [TypeId](): typeof TypeId
}

/** Whether a value is a socket, and not a typed one. */
export const isMarked = (value: unknown): boolean => Predicate.hasProperty(value, TypeId) && value[TypeId] === TypeId
