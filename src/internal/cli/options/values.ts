/** The options of each command as typed values. */
import { binaryFormats } from "../terminal/binaryFormats.ts"
import { commandDefinitions } from "./definitions.ts"
import { type GivenOption, OptionReader } from "./given.ts"

/** The value of `--passphrase` without a value: no passphrase contains it. */
export const ask = "\0"

const [wscatDefinition, benchDefinition, doctorDefinition, proxyDefinition, replayDefinition] = commandDefinitions

/** How to connect, for all commands. */
const connecting = (options: OptionReader) => ({
  compat: options.on("compat"),
  quiet: options.on("quiet"),
  protocol: options.draft("protocol"),
  subprotocol: options.texts("subprotocol"),
  origin: options.text("origin"),
  host: options.text("host"),
  header: options.texts("header"),
  auth: options.text("auth"),
  authFile: options.text("auth-file"),
  cookie: options.texts("cookie"),
  cookieFile: options.text("cookie-file"),
  location: options.on("location"),
  maxRedirects: options.whole("max-redirects", 0, Infinity, 10),
  compress: options.on("compress"),
  http2: options.on("http2"),
  noCheck: options.on("no-check"),
  ca: options.text("ca"),
  cert: options.text("cert"),
  key: options.text("key"),
  passphrase: options.text("passphrase", ask),
  passphraseFile: options.text("passphrase-file"),
  servername: options.text("servername"),
  proxy: options.text("proxy"),
  openTimeout: options.seconds("open-timeout", 0.001),
  maxPayload: options.whole("max-payload", 1)
})

export type Connecting = ReturnType<typeof connecting>

/** The options of `wscat` itself. */
export const wscatValues = (given: ReadonlyArray<GivenOption>) => {
  const options = new OptionReader(wscatDefinition, given)
  return {
    connect: options.text("connect"),
    listen: options.text("listen"),
    path: options.text("path"),
    echo: options.on("echo"),
    ...connecting(options),
    retry: options.whole("retry", -1, Infinity, -1),
    retryAll: options.on("retry-all"),
    execute: options.texts("execute"),
    init: options.texts("init"),
    file: options.texts("file"),
    textFile: options.texts("text-file"),
    delay: options.seconds("delay", 0),
    every: options.seconds("every", 0.001),
    escapes: options.on("escapes"),
    wait: options.seconds("wait", -1),
    count: options.whole("count", 1),
    expect: options.texts("expect"),
    within: options.seconds("within", 0.001),
    record: options.text("record"),
    script: options.text("script"),
    binary: options.on("binary"),
    hex: options.on("hex"),
    base64: options.on("base64"),
    null: options.on("null"),
    slash: options.on("slash"),
    ping: options.seconds("ping", 0.001),
    pongTimeout: options.seconds("pong-timeout", 0.001),
    showPingPong: options.on("show-ping-pong"),
    closeCode: options.whole("close-code", 1000, 4999),
    closeReason: options.text("close-reason"),
    json: options.on("json"),
    frames: options.on("frames"),
    verbose: options.on("verbose"),
    pretty: options.on("pretty"),
    decode: options.oneOf("decode", binaryFormats),
    timestamps: options.on("timestamps"),
    noColor: options.on("no-color")
  }
}

export type Wscat = ReturnType<typeof wscatValues>

/** The options of `wscat bench`. */
export const benchValues = (given: ReadonlyArray<GivenOption>) => {
  const options = new OptionReader(benchDefinition, given)
  return {
    connections: options.whole("connections", 1, 100_000),
    outstanding: options.whole("outstanding", 1, 100_000),
    size: options.whole("size", 0, 100 * 1024 * 1024),
    duration: options.seconds("duration", 0.001),
    warmup: options.seconds("warmup", 0),
    ramp: options.seconds("ramp", 0),
    rate: options.whole("rate", 1, 10_000_000),
    any: options.on("any"),
    report: options.text("report"),
    binary: options.on("binary"),
    json: options.on("json"),
    ...connecting(options)
  }
}

export type Bench = ReturnType<typeof benchValues>

/** The options of `wscat doctor`. */
export const doctorValues = (given: ReadonlyArray<GivenOption>) => {
  const options = new OptionReader(doctorDefinition, given)
  return { json: options.on("json"), noColor: options.on("no-color"), ...connecting(options) }
}

export type Doctor = ReturnType<typeof doctorValues>

/** The options of `wscat proxy`. */
export const proxyValues = (given: ReadonlyArray<GivenOption>) => {
  const options = new OptionReader(proxyDefinition, given)
  return {
    listen: options.text("listen"),
    to: options.text("to"),
    json: options.on("json"),
    record: options.text("record"),
    pretty: options.on("pretty"),
    timestamps: options.on("timestamps"),
    noColor: options.on("no-color"),
    ...connecting(options)
  }
}

export type Proxy = ReturnType<typeof proxyValues>

/** The options of `wscat replay`. */
export const replayValues = (given: ReadonlyArray<GivenOption>) => {
  const options = new OptionReader(replayDefinition, given)
  return {
    speed: options.factor("speed", 0.001),
    fast: options.on("fast"),
    ignore: options.texts("ignore"),
    wait: options.seconds("wait", 0),
    noColor: options.on("no-color"),
    ...connecting(options)
  }
}

export type Replay = ReturnType<typeof replayValues>
