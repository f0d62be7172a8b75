/**
 * The API of `ws` 0.4.32, row by row, and the tests that hold each row: titles of tests, or names of scenarios. The
 * checklist fails for a row without a test, and for a test that is gone.
 */
export interface Row {
  /** What the row says, in short. */
  readonly says: string
  readonly tests: ReadonlyArray<string>
}

const row = (says: string, ...tests: ReadonlyArray<string>): Row => ({ says, tests })

export const rows: Readonly<Record<string, Row>> = {
  // The module.
  module: row("is the WebSocket class", "connect and createServer", "require gives the class, with all the rest on it"),
  "module.Server": row("accepts connections", "wants to know where to listen", "a server"),
  "module.Sender": row("writes frames", "stands on the class", "writes the examples of RFC 6455 §5.7"),
  "module.Receiver": row("reads frames", "stands on the class", "reads what either side sends, however it is cut"),
  "module.createServer": row("a server with a connection listener", "connect and createServer"),
  "module.connect": row("a client with an open listener; createConnection is the same", "connect and createServer"),
  "module.states": row("CONNECTING to CLOSED, on the class and on instances", "names of the states"),

  // The options of a server.
  "server.callback": row("hears that the port listens", "listens on a port of its own, and says so twice"),
  "server.required": row(
    "port, server or noServer, or a TypeError",
    "addresses that are none",
    "wants to know where to listen"
  ),
  "server.host": row("0.0.0.0 by default", "the options of a server", "listens on its host alone"),
  "server.port": row(
    "makes an HTTP server that answers plain requests; 0 picks one",
    "a plain request",
    "listens on a port of its own, and says so twice",
    "takes its port as text"
  ),
  "server.server": row(
    "a given HTTP or HTTPS server",
    "text both ways, and the states on the way",
    "serves an HTTPS server, and knows that it is secure"
  ),
  "server.noServer": row("upgrades come by hand", "by hand"),
  "server.path": row(
    "one path alone; several servers share an HTTP server, but no path",
    "the path of a server",
    "serves a path, and answers 404 at others",
    "leaves other paths to others who listen",
    "shares an HTTP server with others, one of them without a path"
  ),
  "server.verifyClient.sync": row(
    "answers with at most one parameter; refused with 401",
    "verifyClient says no",
    "verifyClient says yes",
    "verifyClient without a parameter",
    "verifyClient with three parameters"
  ),
  "server.verifyClient.async": row(
    "calls back with two; its code and name are the status",
    "verifyClient calls back no",
    "verifyClient calls back yes",
    "verifyClient calls back a code",
    "verifyClient calls back a code and a name",
    "takes the first word of verifyClient and of handleProtocols",
    "hixie-76 and verifyClient"
  ),
  "server.verifyClient.info": row(
    "origin, secure and req",
    "what verifyClient is told",
    "serves an HTTPS server, and knows that it is secure",
    "tells verifyClient the origin of version 8, whichever header names it"
  ),
  "server.handleProtocols": row(
    "chooses by calling back at once; 404 and 501 otherwise",
    "handleProtocols chooses",
    "handleProtocols without subprotocols",
    "handleProtocols says no",
    "handleProtocols says nothing"
  ),
  "server.handleProtocols.unset": row("the first one offered is taken", "the first subprotocol is accepted"),
  "server.disableHixie": row("refuses Hixie-76 with 401", "hixie-76 refused"),
  "server.clientTracking": row("keeps clients unless false", "clients are kept", "clients are not kept"),

  // The members of a server.
  "server.clients": row(
    "an array of the open connections",
    "clients are kept",
    "knows its clients until the moment that they close, whoever removes listeners",
    "a server that broadcasts"
  ),
  "server.options": row("the options, and path", "the options of a server", "the path of a server"),
  "server.close": row(
    "terminates the clients, and the HTTP server that was made here",
    "ends every connection, and the HTTP server that it made",
    "leaves a given HTTP server, and lets go of it",
    "is what Server.close does to clients"
  ),
  "server.handleUpgrade": row("one upgrade by hand; 400 for other upgrades", "by hand", "an upgrade to something else"),

  // The events of a server.
  "server.error": row("forwarded from the HTTP server", "forwards the errors of its HTTP server"),
  "server.headers": row(
    "the lines of the response, to be changed; HyBi only",
    "connection events in their order",
    "asks verifyClient about Hixie-76 too, and echoes the subprotocol whole"
  ),
  "server.connection": row("a client", "text both ways, and the states on the way"),
  "server.connection.target": row("with the target behind its name, before", "connection events in their order"),
  "server.listening": row(
    "the HTTP server listens",
    "listens on a port of its own, and says so twice",
    "tells when a given HTTP server listens"
  ),

  // The handshake of a server.
  "handshake.version": row(
    "13 and 8 (and 7); 400 for others",
    "version 8",
    "version 14",
    "no version in the request",
    "speaks versions 13, 8, 7 and Hixie-76",
    "names the versions that it speaks"
  ),
  "handshake.key": row("400 without one", "no key in the request", "asks with headers that are none"),
  "handshake.hixie.keys": row(
    "Key1 makes it Hixie-76; 400 without Key2",
    "hixie-76 without its second key",
    "asks with keys that no client makes, and gets no 101"
  ),
  "handshake.hixie.response": row(
    "upgrade, location, origin, the subprotocol whole, and 16 bytes",
    "hixie-76",
    "hixie-76 behind a proxy",
    "answers the challenge of the Hixie-76 standard"
  ),
  "handshake.hixie.nonce": row(
    "may come after the head",
    "hixie-76: the bytes behind the head come later",
    "a Hixie-76 client has 10 seconds for the bytes behind its head"
  ),

  // The arguments of a client.
  "client.address": row(
    "a URL; an error for others",
    "addresses that are none",
    "throws for what can't be asked",
    "takes a URL object, and a version as text",
    "asks for a path",
    "asks for a path with a fragment"
  ),
  "client.protocols": row(
    "taken and not sent; an object is the options",
    "does not send subprotocols of the second place",
    "takes its options in the second place or the third"
  ),
  "client.array": row("request, socket and head: the server's side", "is made of a transport by hand"),
  "client.schemes": row(
    "ws, wss, https and ws+unix",
    "text both ways, and the states on the way",
    "goes over TLS with the options of a certificate",
    "connects to a Unix socket"
  ),
  "client.auth": row("user and password of the URL", "asks with a user"),

  // The options of a client.
  "client.protocol": row(
    "the subprotocols; the server must choose one of them",
    "asks with a subprotocol",
    "no subprotocol though one was asked for",
    "a subprotocol of another list",
    "a subprotocol of the list",
    "a subprotocol that nobody asked for"
  ),
  "client.protocolVersion": row(
    "13 by default, or 8; others throw",
    "asks by default",
    "asks with version 8",
    "addresses that are none",
    "the echo round trip with version 8"
  ),
  "client.origin": row(
    "in the header of the version; else Origin is the host",
    "asks by default",
    "asks with an origin",
    "asks with version 8 and an origin"
  ),
  "client.host": row("the Host header", "asks with a host"),
  "client.headers": row("in the place of ours", "asks with headers", "asks with overridden handshake headers"),
  "client.agent": row("gives the connection", "takes its connection from an agent"),
  "client.tls": row(
    "pfx, key, passphrase, cert, ca, ciphers, rejectUnauthorized",
    "goes over TLS with the options of a certificate",
    "shows a certificate of its own",
    "shows a certificate out of an archive with a passphrase"
  ),

  // Properties.
  readyState: row(
    "0 to 3",
    "text both ways, and the states on the way",
    "sends that can't be",
    "closes while connecting",
    "terminates while connecting"
  ),
  url: row("a client's, as given", "text both ways, and the states on the way"),
  protocol: row("what was agreed on", "a subprotocol of the list", "the first subprotocol is accepted"),
  protocolVersion: row("13, 8, hixie-76 (and 7)", "speaks versions 13, 8, 7 and Hixie-76"),
  supports: row("binary is false on Hixie-76", "hixie-76", "has text alone, and says so"),
  bytesReceived: row(
    "bytes since the upgrade",
    "text both ways, and the states on the way",
    "counts the bytes that it read, those behind the handshake too"
  ),
  bufferedAmount: row("bytes that wait, or 0", "knows what waits to be written"),
  upgradeReq: row("the request, on a server", "text both ways, and the states on the way"),
  "on…": row("setting one replaces all listeners", "on… takes the place of every listener", "event objects"),

  // Methods.
  "send.data": row(
    "strings, buffers, arrays, streams; others as text; nothing as empty",
    "what can be sent",
    "a stream as a message",
    "writes numbers as text, never memory"
  ),
  "send.binary": row("true for buffers and typed arrays, but no DataView", "what can be sent", "binary, with a mask"),
  "send.mask": row("true on clients", "masks as told"),
  "send.closed": row(
    "not opened: to the callback, or thrown",
    "sends that can't be",
    "three ways of handling errors, before the connection is open"
  ),
  "send.callback": row(
    "called when written",
    "a callback hears of a written message",
    "calls back once the system has it",
    "three ways of handling errors, where there are none"
  ),
  "send.queue": row("waits for a stream", "a message in pieces", "a stream as a message"),
  stream: row("a callback for each piece, on successive ticks", "a message in pieces", "sends that can't be"),
  ping: row("with options; throws not opened unless told", "pings and pongs", "masks as told", "sends that can't be"),
  pong: row("the same", "pings and pongs", "masks as told", "sends that can't be"),
  pause: row("stops the socket; throws not opened", "pauses and resumes", "sends that can't be"),
  resume: row("goes on", "pauses and resumes", "sends that can't be"),
  close: row(
    "a close frame, then the end",
    "text both ways, and the states on the way",
    "the server closes",
    "closes without a code",
    "waits for the peer's close frame, and tells the code that was given"
  ),
  "close.connecting": row("only marks the connection closed", "closes while connecting"),
  "close.code": row(
    "an error event for a code that is none",
    "a close code that is none",
    "takes the codes of the original"
  ),
  terminate: row(
    "ends the socket, hard after 30 seconds",
    "terminates what was sent before",
    "listens after terminating while connecting",
    "sends no close frame, and drops a peer that doesn't end after 30 seconds"
  ),
  addEventListener: row("event objects for four types", "event objects", "an error knows its target"),

  // Events.
  open: row("without arguments", "text both ways, and the states on the way"),
  message: row(
    "data and flags",
    "text both ways, and the states on the way",
    "what can be sent",
    "fragments are put together",
    "hixie-76"
  ),
  "ping and pong": row(
    "data and flags; pings are answered",
    "pings and pongs",
    "answers pings by itself, before it tells"
  ),
  "close event": row(
    "1000 and nothing by default; listeners go",
    "the server closes",
    "the peer's close frame has no code",
    "a close frame is answered in kind",
    "the peer is gone",
    "listeners go when it is over",
    "is the last event, and the end of all listeners"
  ),
  error: row(
    "an error, or a reason and a close code",
    "reserved bits",
    "a reserved opcode",
    "a reserved control opcode",
    "a continuation of nothing",
    "a message in a message",
    "a ping in fragments",
    "a pong in fragments",
    "a close frame in fragments",
    "a long ping",
    "a close frame of one byte",
    "a close code that may not travel",
    "a message before the fault",
    "sends text that is none"
  ),
  "error.handshake": row("strings for the key and the subprotocol", "a key that doesn't match", "no key at all"),
  "unexpected-response": row(
    "request and response; else an error",
    "a server that refuses",
    "leaves the response to a listener of unexpected-response"
  ),
  "event objects": row("message, close, open and error", "event objects", "an error knows its target"),

  // What the original did wrong.
  "mended.hixie.close": row(
    "FF 00 in two chunks closes",
    "cuts its closing frame in two",
    "hixie-76: the client closes"
  ),
  "mended.hixie.length": row(
    "a length in pieces, and one without end",
    "sends frames of other kinds, cut where it hurts, and then text",
    "announces a length without end"
  ),
  "mended.hixie.text": row("text that is none is refused", "sends text that is none, or more than the limit"),
  "mended.hixie.send": row("what can't be said is an error", "has text alone, and says so"),
  "mended.hixie.keys": row("bad keys get a 400 and no 101", "asks with keys that no client makes, and gets no 101"),
  "mended.hixie.location": row("hosts are checked", "names a host that is none"),
  "mended.path": row("other paths are answered", "serves a path, and answers 404 at others"),
  "mended.random": row(
    "keys and masks are random, and the caller's bytes stay",
    "asks with a fresh key of 16 random bytes, in every version",
    "masks each frame with a key of its own",
    "leaves the caller's bytes and options as they are"
  ),
  "mended.limit": row("messages have a limit", "sends more than the limit", "announces more than 100 MiB"),
  "mended.close": row(
    "the peer's close frame is awaited",
    "waits for the peer's close frame, and tells the code that was given"
  ),
  "mended.masking": row("masks are enforced", "has to mask as a client", "must not mask as a server"),
  "mended.first": row(
    "the first messages wait for a listener",
    "keeps what comes before anybody listens, up to a limit"
  ),
  "mended.ping": row("a number is no memory", "writes numbers as text, never memory"),
  "mended.crash": row(
    "no peer ends the process",
    "needs nobody who listens to errors",
    "is heard of, and stops nothing"
  ),

  // Programs.
  readme: row(
    "its programs run",
    "text",
    "binary, with a mask",
    "a server",
    "a server that broadcasts",
    "three ways of handling errors, where there are none",
    "three ways of handling errors, before the connection is open",
    "the echo round trip with version 8",
    "Express, with its HTTP server shared"
  ),
  inheritance: row("util.inherits and call", "inherited from without class")
}

/** The tests of each row of the differences in docs/ws-legacy.md, under its first cell. */
export const differences: Readonly<Record<string, ReadonlyArray<string>>> = {
  "a request": ["asks with headers that are none", "asks with keys that no client makes, and gets no 101"],
  "a response": [
    "refuses an extension that it didn't offer",
    "is closed after a handshake that fails, and its transport too"
  ],
  masks: ["has to mask as a client", "must not mask as a server"],
  "UTF-8": ["sends text that is none", "sends text that is none, or more than the limit"],
  "size of a message": ["sends more than the limit", "announces more than 100 MiB"],
  "`close()`": [
    "waits for the peer's close frame, and tells the code that was given",
    "drops the transport when the peer takes longer than 30 seconds"
  ],
  "`terminate()`": ["sends no close frame, and drops a peer that doesn't end after 30 seconds"],
  "a connection that can't be opened": [
    "is closed after a handshake that fails, and its transport too",
    "a server that refuses"
  ],
  "`close()` while connecting": ["drops the request when it is closed or terminated before it is open"],
  "a peer that breaks the protocol, without a listener of `error`": ["needs nobody who listens to errors"],
  "a listener that throws": ["is heard of, and stops nothing"],
  "the first messages": ["keeps what comes before anybody listens, up to a limit"],
  "keys and masks": [
    "asks with a fresh key of 16 random bytes, in every version",
    "masks each frame with a key of its own"
  ],
  "the caller's data": ["leaves the caller's bytes and options as they are"],
  numbers: ["writes numbers as text, never memory"],
  "long control data": ["hold at most 125 bytes", "takes a reason of 123 bytes, and no more"],
  "another path": ["serves a path, and answers 404 at others"],
  "servers without a path on one HTTP server": ["shares an HTTP server with others, one of them without a path"],
  "`Server.close()`": ["leaves a given HTTP server, and lets go of it", "refuses those that are on their way"],
  "a refusal": ["a refused client that doesn't go is dropped"],
  "header lines": ["writes no line that would split the answer"],
  "`verifyClient`": ["tells verifyClient the origin of version 8, whichever header names it"],
  "a stream that fails": ["a stream that fails can't be completed: 1011, and others are not sent either"],
  "a stream and a slow peer": ["a stream is read no faster than the peer takes it"],
  "sends that wait when a connection ends": ["hear of a connection that ends before they do"],
  "`_sender`, `_receiver` and other members that begin with `_`": ["has a transport while it lasts"],
  "Hixie-76: frames": [
    "cuts its closing frame in two",
    "sends frames of other kinds, cut where it hurts, and then text"
  ],
  "Hixie-76: bytes": ["has text alone, and says so"],
  "Hixie-76: pings": ["has text alone, and says so"],
  "Hixie-76: pieces": ["sends the pieces of a message together"],
  "Hixie-76: keys": ["asks with keys that no client makes, and gets no 101"],
  "Hixie-76: hosts": ["names a host that is none"],
  "Hixie-76: first line": ["answers the challenge of the Hixie-76 standard"],
  "Hixie-76: no origin": ["answers a Hixie-76 request without an origin with null"]
}
