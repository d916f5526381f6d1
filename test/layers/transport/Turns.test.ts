import { once } from "node:events"
import { readFile } from "node:fs"
import * as Net from "node:net"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Turns, type TurnTask } from "../../../src/layers/transport/Turns.ts"

/** Both ends of a connection. */
const connected = async () => {
  const server = Net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  const client = Net.connect(typeof address === "object" && address !== null ? address.port : 0, "127.0.0.1")
  const [peer] = (await once(server, "connection")) as [Net.Socket]
  if (client.connecting) await once(client, "connect")
  const close = async () => {
    client.destroy()
    peer.destroy()
    server.close()
    await once(server, "close")
  }
  return { client, peer, close }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

const task = (onTurn: () => void): TurnTask => ({ onTurn })

describe("Turns", () => {
  it("runs all in their order, later, and what they put off in a turn after that", async () => {
    const turns = new Turns()
    const ran: Array<string> = []
    turns.soon(
      task(() => {
        ran.push("first")
        turns.soon(task(() => ran.push("put off")))
      })
    )
    turns.soon(task(() => ran.push("second")))
    assert.deepStrictEqual(ran, [])
    await turn()
    assert.deepStrictEqual(ran, ["first", "second"])
    await turn()
    assert.deepStrictEqual(ran, ["first", "second", "put off"])
  })

  it("looks at the sockets between a call and its run, wherever the call is made", async () => {
    for (const place of ["in a turn", "before one", "after one", "in a timer", "while files and sockets are read"]) {
      const turns = new Turns()
      const order: Array<string> = []
      const { client, peer, close } = await connected()
      client.once("end", () => order.push("end")).resume()
      await new Promise<void>((resolve) => {
        const call = () => {
          peer.end()
          // The end is there, and nobody has looked.
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
          turns.afterLook(
            task(() => {
              order.push("run")
              resolve()
            })
          )
        }
        if (place === "before one") setImmediate(call)
        turns.soon(task(place === "in a turn" ? call : () => {}))
        if (place === "after one") setImmediate(call)
        if (place === "in a timer") setTimeout(call, 1)
        if (place === "while files and sockets are read") readFile(fileURLToPath(import.meta.url), call)
      })
      assert.deepStrictEqual(order, ["end", "run"], place)
      await close()
    }
  })

  it("runs the others when one throws, which nothing hides", async () => {
    const turns = new Turns()
    const ran: Array<string> = []
    const error = new Error("of a test")
    const seen: Array<unknown> = []
    const listeners = process.listeners("uncaughtException")
    process.removeAllListeners("uncaughtException").on("uncaughtException", (uncaught) => seen.push(uncaught))
    try {
      turns.soon(task(() => ran.push("before")))
      turns.soon(
        task(() => {
          throw error
        })
      )
      turns.soon(task(() => ran.push("after")))
      await turn()
      turns.soon(task(() => ran.push("later")))
      await turn()
      await turn()
    } finally {
      process.removeAllListeners("uncaughtException")
      for (const listener of listeners) process.on("uncaughtException", listener)
    }
    assert.deepStrictEqual([ran, seen], [["before", "after", "later"], [error]])
  })
})
