"use strict"

const WebSocket = require("ws")
const { exchange } = require("./exchange.cjs")

exchange(WebSocket, WebSocket.Server).then((outcome) => console.log(JSON.stringify(outcome)))
