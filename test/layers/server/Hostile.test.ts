import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, start } from "./harness.ts"

/** Sends a request and breaks the connection with a reset at once. */
const sendAndReset = (port: number, bytes: string) =>
  Effect.callback<void>((resume) => {
    const socket = connect(port, "127.0.0.1")
    socket.on("error", () => {})
    socket.once("connect", () => socket.write(bytes, () => socket.resetAndDestroy()))
    socket.once("close", () => resume(Effect.void))
  })

describe("nobody breaks the service", () => {
  it.live("clients that reset their connection after CONNECT or an upgrade are no uncaught exception", () =>
    Effect.gen(function* () {
      const uncaught: Array<unknown> = []
      const note = (error: unknown) => void uncaught.push(error)
      yield* Effect.acquireRelease(
        Effect.sync(() => process.on("uncaughtExceptionMonitor", note)),
        () => Effect.sync(() => process.off("uncaughtExceptionMonitor", note))
      )
      const { chat, port } = yield* start()
      for (const bytes of [
        "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        "GARBAGE\r\n\r\n"
      ]) {
        yield* Effect.forEach(Array.from({ length: 50 }), () => sendAndReset(port, bytes), { concurrency: "unbounded" })
      }
      assert.strictEqual((yield* chat(ask("Hello"))).status, 200)
      assert.deepEqual(uncaught, [])
    })
  )
})
