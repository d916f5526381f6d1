import { assert, describe, it } from "@effect/vitest"
import type { WireRequest } from "../../../src/domain/providers/Wire.ts"
import { InvalidRequest, RequestWriter } from "../../../src/layers/transport/RequestMessage.ts"
import { request } from "./conformance.ts"

const HOST = "llm.example.com"
const wireOf = (options: Partial<WireRequest>) => request(`https://${HOST}`, options)

describe("RequestWriter", () => {
  it("looks at headers once, as long as they are sent to one place", () => {
    let looks = 0
    const headers = new Proxy(["x-key", "k", "accept", "*/*"], {
      get: (target, name, receiver) => {
        if (name === "0") looks++
        return Reflect.get(target, name, receiver)
      }
    })
    const writer = new RequestWriter()
    const bodies = ["one", "", "grüße", "four"]
    const data = bodies.map((body) => writer.messageOf(wireOf({ headers, body }), HOST).data)
    assert.strictEqual(looks, 1)
    for (const [i, body] of bodies.entries()) {
      const lines = `host: ${HOST}\r\nconnection: keep-alive\r\nx-key: k\r\naccept: */*\r\n`
      const length = `content-length: ${Buffer.byteLength(body)}\r\n\r\n`
      assert.strictEqual(data[i], `POST /v1/chat HTTP/1.1\r\n${lines}${length}${body}`)
    }
  })

  it("makes the same of a request whatever was written before it", () => {
    const lists = [
      ["x-key", "k"],
      ["x-key", "k", "connection", "close"],
      ["host", "other.example.com", "x-key", "caf\xe9"]
    ]
    const writer = new RequestWriter()
    for (const body of ["", "{}", "grüße"]) {
      for (const path of ["/v1/chat", "/v1/embeddings"]) {
        for (const method of ["POST", "GET"] as const) {
          for (const host of [HOST, "llm.example.net:8443"]) {
            for (const headers of lists) {
              const wire = wireOf({ method, path, headers, body })
              assert.deepStrictEqual(writer.messageOf(wire, host), new RequestWriter().messageOf(wire, host))
            }
          }
        }
      }
    }
  })

  it("refuses what is wrong each time, also after what was right", () => {
    const writer = new RequestWriter()
    const headers = ["x-key", "k"]
    writer.messageOf(wireOf({ headers }), HOST)
    for (let i = 0; i < 2; i++) {
      assert.throws(() => writer.messageOf(wireOf({ headers, path: "/a b" }), HOST), InvalidRequest)
      assert.throws(() => writer.messageOf(wireOf({ headers: ["x-key", "k\n"] }), HOST), InvalidRequest)
    }
    writer.messageOf(wireOf({ headers }), HOST)
  })
})
