/** What is different under other run times: the tests that fail there, and why. `docs/runtimes.md` says the same. */
import type { Runtime } from "./binaries.ts"

export interface Difference {
  /** Matches the names of the tests, and of no test that passes. */
  readonly tests: RegExp
  readonly why: string
  /** `false` when a test fails at times only: what it depends on has no fixed order, or no fixed size, there. */
  readonly always?: boolean
}

/** A whole file, or what goes wrong beside the tests. */
export interface Beside {
  readonly what: string
  readonly why: string
}

export interface Expected {
  readonly differences: ReadonlyArray<Difference>
  /** Files that can't be run. */
  readonly notRun: ReadonlyArray<Beside>
  /** The beginnings of errors that reach nobody. */
  readonly errors: ReadonlyArray<Beside>
}

const memory: Difference = {
  tests:
    /^test\/(?:backpressure\.test\.ts > .* 1 GiB offered costs less than 32 MiB|effectSocket\/contract\.test\.ts > .* > waits for a peer that reads nothing, with bounded memory)$/,
  why: "The memory that a suspended sender costs isn't measured: the run time's own changes by as much.",
  always: false
}

export const expected: Readonly<Record<Runtime, Expected>> = {
  bun: {
    differences: [
      memory,
      {
        tests: /^test\/Server\.test\.ts > TLS that can't be used > is a ServerError, with http2: false$/,
        why: "TLS options that can't be used fail with `ListenFailed`: they are looked at when the server listens."
      },
      {
        tests: /^test\/frame-property\.test\.ts > frames, read by ws too > /,
        why: '`require("ws")` is Bun\'s own there, which has no `Receiver`, `Sender` and `PerMessageDeflate`.'
      },
      {
        tests: /^test\/interop\.test\.ts > over TLS > a certificate that nobody vouches for is a typed failure$/,
        why: "The words of errors from TLS and of JavaScript's own are Bun's; the reasons that this library gives are the same."
      },
      {
        tests: /^test\/ws\/closing\.test\.ts > .* > arguments, from the (?:client|server)$/,
        why: "The words of errors from TLS and of JavaScript's own are Bun's; the reasons that this library gives are the same."
      },
      {
        tests: /^test\/ws\/differences\.test\.ts > .* > what is sent after a program ended the socket /,
        why: "What is sent on a socket that a program has ended fails with another code."
      },
      {
        tests: /^test\/ws\/server\.test\.ts > .* > listens, and calls back /,
        why: "A server has its address as soon as it is made, before `listening`."
      },
      {
        tests:
          /^test\/effectSocket\/http\.test\.ts > EffectSocket\.layerHttpServer > (?:upgrades (?!only)|adds |refuses |speaks |closes |has the limits |counts )/,
        why: "`EffectSocket.layerHttpServer` doesn't upgrade: requests get the answer that they would get without an upgrade."
      },
      {
        tests: /^test\/effectSocket\/rpc\.test\.ts > effect\/rpc > .* over a route of layerHttpServer/,
        why: "`EffectSocket.layerHttpServer` doesn't upgrade: requests get the answer that they would get without an upgrade."
      }
    ],
    notRun: [],
    errors: [
      {
        what: 'RangeError: The value of "options.port" is out of range.',
        why: "A port that is none is an error that reaches nobody, and not one that the constructor throws."
      }
    ]
  },
  deno: {
    differences: [
      memory,
      {
        tests: /^test\/Server\.test\.ts > TLS that can't be used > /,
        why: "TLS options that can't be used aren't noticed when the server is made: it listens all the same."
      },
      {
        tests: /^test\/deflate\.test\.ts > permessage-deflate, driver handle > /,
        why: "Compression goes through the public interface of `node:zlib`: the handles beneath it aren't Node's. So a message is never compressed or inflated within the read that brought it.",
        always: false
      },
      {
        tests:
          /^test\/(?:deflate\.test\.ts > the choice of the driver > agrees with the environment of these tests$|ws\/differences\.test\.ts > .* > a small message is compressed at once)/,
        why: "Compression goes through the public interface of `node:zlib`: the handles beneath it aren't Node's. So a message is never compressed or inflated within the read that brought it."
      },
      {
        tests: /^test\/deflate\.test\.ts > the choice of the driver > is /,
        why: "Node's `--input-type` isn't there, with which these tests start programs."
      },
      {
        tests:
          /^test\/deflate\.test\.ts > permessage-deflate, driver public > .* > (?:blocks after final blocks, which refer|the window outlives final blocks|the window of earlier messages outlives)/,
        why: "`node:zlib` ignores `dictionary` for raw deflate: a peer that ends messages with final blocks, which few do, and takes its window over can't be read, and is closed with 1007."
      },
      {
        tests: /^test\/conformance\.test\.ts > effect-ws as (?:server|client) > 1[23] compression/,
        why: "The conformance cases of compression (sections 12 and 13) say nothing of this library: their driver needs `dictionary`."
      },
      {
        tests: /^test\/deflate\.test\.ts > permessage-deflate, driver public > .* > what does not inflate is invalid$/,
        why: "Bytes behind a final block are ignored, where Node calls them invalid."
      },
      {
        tests:
          /^test\/deflate\.test\.ts > permessage-deflate, driver public > (?:a large message leaves the event loop to others|`close` while messages are under way)/,
        why: "`node:zlib` works on the thread of the program: large messages hold the event loop up."
      },
      {
        tests:
          /^test\/ws\/(?:differences\.test\.ts > .* > broken compressed data has zlib's code|pieces\.test\.ts > PerMessageDeflate .* > limits and broken data$)/,
        why: "Of compressed data that is broken, the error of the `ws` face has another code than zlib's."
      },
      {
        tests: /^test\/ws\/messages\.test\.ts > masking keys .* > unmasked at the caller's wish$/,
        why: "A client of `ws` that sends without a mask at its caller's wish sends nothing, so there is nothing to compare with."
      },
      {
        tests: /^test\/ws\/messages\.test\.ts > (?:several events in one read|pausing) /,
        why: "What one read brings isn't cut as on Node, so that the order of events differs at times.",
        always: false
      },
      {
        tests: /^test\/ws\/frames\.test\.ts > limits > maxPendingAutoPongs /,
        why: "What one read brings isn't cut as on Node, so that the order of events differs at times.",
        always: false
      },
      {
        tests: /^test\/ws-legacy\/client\.test\.ts > new WebSocket > shows a certificate of its own$/,
        why: "TLS has no cipher list in OpenSSL's words (`ciphers`)."
      },
      {
        tests: /^test\/ws-legacy\/server\.test\.ts > .* > forgets a client that went away while verifyClient thought$/,
        why: "A client that goes away during its handshake is noticed late, when it was accepted already."
      }
    ],
    notRun: [
      {
        what: "test/http2.test.ts",
        why: "HTTP/2 isn't tested: `node:http2` ends the process with a segmentation fault."
      }
    ],
    errors: [
      {
        what: "TypeError: Reflect.get called on non-object",
        why: "A write into a stream of `node:zlib` that failed calls back without an error."
      }
    ]
  }
}
