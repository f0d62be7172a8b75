// oxlint-disable-next-line import/no-named-as-default -- it is how programs import it
import WebSocket from "ws"

const attempt = () => {
  try {
    void new WebSocket("ws://localhost")
    return "no error"
  } catch (error) {
    return error.message
  }
}

globalThis.outcome = attempt()
