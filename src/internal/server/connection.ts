import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { WebSocketConnection, type WebSocketConnectionOptions } from "../socket/webSocketConnection.ts"
import type { Connection, UpgradeRequest } from "./model.ts"

/** A connection that a server accepted. */
export class ServerConnection<A> extends WebSocketConnection<A, UpgradeRequest> implements Connection<A> {
  readonly draining: Effect.Effect<void>
  /** The scope that `authorize` ran in, until a caller takes it over and closes it. */
  private scope: Scope.Closeable | undefined

  constructor(
    options: WebSocketConnectionOptions<A, UpgradeRequest>,
    draining: Effect.Effect<void>,
    scope: Scope.Closeable | undefined
  ) {
    super(options)
    this.draining = draining
    this.scope = scope
  }

  /** Hands the connection's scope over to the caller, who has to close it; once. */
  takeScope(): Scope.Closeable | undefined {
    const { scope } = this
    this.scope = undefined
    return scope
  }
}
