"use strict"

// What a bundler for browsers finds in place of the library, by the condition "browser".
module.exports = function WebSocket() {
  throw new Error("@effect-ws/ws needs Node; in a browser, use the WebSocket that the browser has")
}
