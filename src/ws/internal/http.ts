/**
 * `node:http` and `node:https`, without what an `import` of them loads besides: that reads every export, and among them
 * are Node's own `WebSocket` and all of `fetch`, which take as long to load as everything else together.
 */
export const http = process.getBuiltinModule("node:http")
export const https = process.getBuiltinModule("node:https")
