/** Writes the port of every server that listens to the standard error, so that programs can listen on any. */
import net from "node:net"

const { listen } = net.Server.prototype

net.Server.prototype.listen = function (...args) {
  this.once("listening", () => process.stderr.write(`listening on ${this.address().port}\n`))
  return Reflect.apply(listen, this, args)
}
