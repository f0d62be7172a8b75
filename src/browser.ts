/**
 * The client for programs that run where there is no Node: in browsers and workers. `Socket` is `effect-ws/browser/Socket`.
 *
 * @since 0.1.0
 */
export * as Socket from "./browser/Socket.ts"
