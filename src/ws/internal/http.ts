/**
 * Modules of Node as objects, so that functions which a program replaces on them, as mocks and tracing agents do, are the
 * ones that are called. An `import` of `node:http` also reads every export, and among them are Node's own `WebSocket` and
 * all of `fetch`, which take as long to load as everything else together.
 */
export const http = process.getBuiltinModule("node:http")
export const https = process.getBuiltinModule("node:https")
export const net = process.getBuiltinModule("node:net")
export const tls = process.getBuiltinModule("node:tls")
