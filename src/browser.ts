/** What runs where there is no Node: in browsers, workers, Deno and Bun. In place of `effect-ws`, for clients. */
export * as Socket from "./browser/Socket.ts"
