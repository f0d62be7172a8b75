// Event objects and listeners; the shape of the classes.
/* oxlint-disable unicorn/prefer-add-event-listener, unicorn/no-invalid-remove-event-listener -- they are what is tested */
import { describe } from "@effect/vitest"
import { EventEmitter, once } from "node:events"
import { attempt, closed, frame, same, settled } from "./lab.ts"

const ownNames = (value: object): ReadonlyArray<string> =>
  Object.getOwnPropertyNames(value)
    .filter((name) => !name.startsWith("_"))
    .sort()

describe("listeners as the DOM has them [method:addEventListener] [method:removeEventListener]", () => {
  same("event objects [event:Event] [event:MessageEvent] [event:CloseEvent] [event:ErrorEvent]", async (lab) => {
    const { port, server } = await lab.server()
    server.on("connection", (socket) => {
      socket.send("text")
      socket.send(Buffer.from("bytes"))
      socket.close(4000, "why")
    })
    const client = lab.client(port)
    for (const type of ["open", "message", "close", "error"] as const) {
      client.addEventListener(type, (event: object) => {
        const names: Array<string> = []
        for (const name in event) names.push(name)
        lab.note(
          type,
          event.constructor.name,
          names.sort(),
          Reflect.get(event, "target") === client,
          Reflect.get(event, "type")
        )
        lab.note(
          Reflect.get(event, "data"),
          Reflect.get(event, "code"),
          Reflect.get(event, "reason"),
          Reflect.get(event, "wasClean")
        )
      })
    }
    await closed(client)
  })
  same("an error", async (lab) => {
    const { raw, socket } = await lab.rawPair()
    socket.addEventListener("error", (event) =>
      lab.note(event.message, event.error, event.type, event.target === socket)
    )
    raw.socket.end(frame(0x83, "", { mask: true }))
    await closed(socket)
  })
  same("added twice, once, as objects, removed", async (lab) => {
    const { client, remote } = await lab.pair()
    const listener = (event: { readonly data: unknown }): void => lab.note("listener", event.data)
    const object = {
      handleEvent(this: unknown, event: { readonly data: unknown }): void {
        lab.note("object", this === object, event.data)
      }
    }
    const bound = function (this: unknown): void {
      lab.note("this", this === client)
    }
    client.addEventListener("message", listener as never)
    client.addEventListener("message", listener as never)
    client.addEventListener("message", object as never)
    client.addEventListener("message", bound as never)
    client.addEventListener("message", ((event: { readonly data: unknown }) => lab.note("once", event.data)) as never, {
      once: true
    })
    lab.note(client.listenerCount("message"))
    const said = async (text: string): Promise<void> => {
      const told = once(client, "message")
      remote.send(text)
      await told
    }
    await said("first")
    lab.note(client.listenerCount("message"))
    client.removeEventListener("message", listener as never)
    client.removeEventListener("message", listener as never)
    client.removeEventListener("message", object as never)
    client.removeEventListener("message", bound as never)
    client.removeEventListener("message", (() => {}) as never)
    lab.note(client.listenerCount("message"))
    const plain = (): void => lab.note("plain")
    client.on("message", plain)
    client.removeEventListener("message", plain as never)
    lab.note(client.listenerCount("message"))
    await said("second")
  })
  same("the same listener once, and before", async (lab) => {
    const { client, remote } = await lab.pair()
    const listener = (): void => lab.note("listener")
    client.addEventListener("message", listener, { once: true })
    client.addEventListener("message", listener)
    lab.note(client.listenerCount("message"))
    client.removeEventListener("message", listener)
    lab.note(client.listenerCount("message"))
    remote.send("a")
    await once(client, "message")
  })
  same("types that have no event objects", async (lab) => {
    const { client } = await lab.pair()
    for (const type of ["ping", "pong", "upgrade", "foo"]) {
      lab.note(
        type,
        attempt(() => client.addEventListener(type as never, () => {})),
        client.listenerCount(type)
      )
    }
  })
})

describe("properties for listeners [property:onopen] [property:onmessage] [property:onclose] [property:onerror]", () => {
  same("what they hold", async (lab) => {
    const { client, remote } = await lab.pair()
    for (const name of ["onopen", "onmessage", "onclose", "onerror"] as const) {
      lab.note(name, client[name])
      for (const value of [() => {}, null, "text", 5, { handleEvent: () => {} }, undefined]) {
        Reflect.set(client, name, value)
        lab.note(name, client[name] === value, client[name] === null, client.listenerCount(name.slice(2)))
      }
    }
    const first = (): void => lab.note("first")
    const second = (): void => lab.note("second")
    client.onmessage = first
    client.addEventListener("message", first)
    client.addEventListener("message", second)
    client.onmessage = second
    lab.note(client.listenerCount("message"), client.onmessage === second)
    client.removeEventListener("message", second)
    lab.note(client.listenerCount("message"), client.onmessage === second)
    remote.send("a")
    await once(client, "message")
    client.removeAllListeners("message")
    lab.note(client.onmessage)
  })
  same("they hear of everything", async (lab) => {
    const { port, server } = await lab.server()
    server.on("connection", (socket) => {
      socket.onmessage = (event) => socket.send(`echo ${String(event.data)}`)
      socket.onclose = (event) => lab.note("server", event.code)
    })
    const client = lab.client(port)
    client.onopen = (event) => {
      lab.note("open", event.type)
      client.send("a")
    }
    client.onmessage = (event) => {
      lab.note("message", event.data, event.target === client)
      client.close(4000)
    }
    client.onerror = () => lab.note("error")
    await new Promise<void>((resolve) => {
      client.onclose = (event) => {
        lab.note("close", event.code, event.wasClean)
        resolve()
      }
    })
    await settled()
  })
})

describe("the shape ", () => {
  same(
    "of the module [export:WebSocket] [export:WebSocketServer] [export:createWebSocketStream] [export:PerMessageDeflate] [export:extension] [export:subprotocol] [export:Receiver] [export:Sender] [export:default]",
    (lab) => {
      const { lib } = lab
      for (const name of [
        "WebSocket",
        "WebSocketServer",
        "createWebSocketStream",
        "PerMessageDeflate",
        "extension",
        "subprotocol",
        "Receiver",
        "Sender"
      ]) {
        const value: unknown = Reflect.get(lib, name)
        lab.note(name, typeof value, typeof value === "function" ? value.name : Object.keys(value as object).sort())
      }
      lab.note(Reflect.get(lib, "default") === lib.WebSocket)
    }
  )
  same("in the order of for … in", (lab) => {
    lab.note(Object.keys(lab.lib.WebSocket.prototype))
  })

  same("of WebSocket [property:CONNECTING]", (lab) => {
    const { WebSocket } = lab.lib
    lab.note(ownNames(WebSocket.prototype).filter((name) => name !== "setSocket" && name !== "emitClose"))
    const names: Array<string> = []
    for (const name in WebSocket.prototype) if (!(name in EventEmitter.prototype)) names.push(name)
    lab.note(names.sort())
    for (const name of ["CONNECTING", "OPEN", "CLOSING", "CLOSED"]) {
      lab.note(
        name,
        Object.getOwnPropertyDescriptor(WebSocket, name),
        Object.getOwnPropertyDescriptor(WebSocket.prototype, name)
      )
    }
    lab.note(
      WebSocket.prototype instanceof EventEmitter,
      WebSocket.length,
      attempt(() => Reflect.apply(WebSocket, undefined, ["ws://localhost"])) !== undefined
    )
  })
  same(
    "of a client and a server [property:url] [property:readyState] [property:protocol] [property:extensions]",
    async (lab) => {
      const { client, remote, server } = await lab.pair()
      for (const socket of [client, remote]) {
        lab.note(
          socket.binaryType,
          socket.bufferedAmount,
          socket.extensions,
          socket.isPaused,
          socket.protocol,
          socket.readyState,
          typeof socket.url
        )
        lab.note(socket.CONNECTING, socket.OPEN, socket.CLOSING, socket.CLOSED, socket instanceof lab.lib.WebSocket)
      }
      lab.note(
        ownNames(lab.lib.WebSocketServer.prototype).filter(
          (name) => !["completeUpgrade", "complete", "attach", "agree", "reject"].includes(name)
        )
      )
      lab.note(Object.keys(server.options).sort(), server.clients.size, [...server.clients][0] === remote)
      for (const key of ["readyState", "url", "protocol", "extensions", "bufferedAmount", "isPaused"]) {
        lab.note(key, attempt(() => Object.assign(client, { [key]: 5 })) !== undefined, Reflect.get(client, key) === 5)
      }
    }
  )
})
