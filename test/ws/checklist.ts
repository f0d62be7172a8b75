// The API of `ws` 8, row by row. Each row has a tag, and some test has that tag in its title: [tag].

/** A row of the API and the tag of the tests that hold it. */
export interface Row {
  readonly area: string
  readonly row: string
  readonly tag: string
}

const rows = (area: string, prefix: string, names: string): ReadonlyArray<Row> =>
  names
    .trim()
    .split(/\s+/)
    .map((row) => ({ area, row, tag: `${prefix}:${row}` }))

export const checklist: ReadonlyArray<Row> = [
  ...rows(
    "exports",
    "export",
    "WebSocket WebSocketServer createWebSocketStream PerMessageDeflate extension subprotocol Receiver Sender default require Server"
  ),
  ...rows("classes beneath", "class", "Sender Receiver PerMessageDeflate"),
  ...rows("functions beneath", "function", "extension.parse extension.format subprotocol.parse createWebSocketStream"),
  ...rows(
    "options of servers",
    "option",
    `port host backlog server noServer path clientTracking closeTimeout handleProtocols verifyClient perMessageDeflate
     maxPayload maxFragments maxBufferedChunks maxPendingAutoPongs autoPong allowSynchronousEvents skipUTF8Validation WebSocket`
  ),
  ...rows(
    "options of perMessageDeflate",
    "deflate",
    `serverNoContextTakeover clientNoContextTakeover serverMaxWindowBits clientMaxWindowBits zlibDeflateOptions
     zlibInflateOptions threshold concurrencyLimit`
  ),
  ...rows("servers", "server", "constructor clients options address close handleUpgrade shouldHandle 426"),
  ...rows("events of servers", "server-event", "close connection error headers listening wsClientError"),
  ...rows(
    "the constructor of clients",
    "client",
    "address unix options-second protocols SyntaxError RangeError redirects-drop"
  ),
  ...rows(
    "options of clients",
    "option",
    `allowSynchronousEvents autoPong closeTimeout maxBufferedChunks maxFragments maxPayload skipUTF8Validation
     perMessageDeflate protocolVersion origin handshakeTimeout followRedirects maxRedirects generateMask finishRequest
     http.request protocols`
  ),
  ...rows(
    "properties",
    "property",
    `CONNECTING readyState url protocol extensions binaryType bufferedAmount isPaused onopen onmessage onclose onerror`
  ),
  ...rows(
    "methods",
    "method",
    "send ping pong close terminate pause resume addEventListener removeEventListener setSocket not-open"
  ),
  ...rows("options of send", "send", "binary compress fin mask"),
  ...rows(
    "events",
    "event",
    `open message close error ping pong redirect unexpected-response upgrade Event MessageEvent CloseEvent ErrorEvent`
  ),
  ...rows(
    "error codes",
    "code",
    `WS_ERR_EXPECTED_FIN WS_ERR_EXPECTED_MASK WS_ERR_UNEXPECTED_MASK WS_ERR_INVALID_CLOSE_CODE
     WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH WS_ERR_INVALID_OPCODE WS_ERR_UNEXPECTED_RSV_1 WS_ERR_UNEXPECTED_RSV_2_3
     WS_ERR_INVALID_UTF8 WS_ERR_TOO_MANY_BUFFERED_PARTS WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH
     WS_ERR_UNSUPPORTED_MESSAGE_LENGTH`
  ),
  ...rows("the environment", "environment", "WS_NO_BUFFER_UTIL WS_NO_UTF_8_VALIDATE")
]
