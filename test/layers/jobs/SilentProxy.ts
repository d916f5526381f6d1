/** Stands before a server, and can fall silent: connections stay open and nothing passes any more, as when a machine is gone. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { Effect } from "effect"

export interface SilentProxy {
  readonly port: number
  /** How many messages of clients pass before the connection of the next one falls silent; undefined: all pass. */
  passes: number | undefined
}

export const silentProxy = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly proxy: SilentProxy; readonly close: () => void }>((resume) => {
      const sockets = new Set<Socket>()
      const keep = (socket: Socket): Socket => {
        sockets.add(socket)
        return socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket))
      }
      const server = createServer((client) => {
        const behind = keep(connect(port, "127.0.0.1"))
        keep(client)
        let isSilent = false
        client.on("data", (data) => {
          if (proxy.passes === 0) {
            isSilent = true
            proxy.passes = undefined
          } else if (proxy.passes !== undefined) {
            proxy.passes--
          }
          if (!isSilent) behind.write(data)
        })
        behind.on("data", (data) => {
          if (!isSilent) client.write(data)
        })
        client.on("close", () => behind.destroy())
        behind.on("close", () => {
          if (!isSilent) client.destroy()
        })
      })
      const proxy = {
        get port() {
          // A listening TCP server has an address with a port.
          return (server.address() as AddressInfo).port
        },
        passes: undefined
      } as SilentProxy
      const close = () => {
        server.close()
        for (const socket of sockets) socket.destroy()
      }
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ proxy, close })))
    }),
    ({ close }) => Effect.sync(close)
  ).pipe(Effect.map(({ proxy }) => proxy))
