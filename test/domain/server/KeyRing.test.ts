import { assert, describe, it } from "@effect/vitest"
import { hashKey, KeyRing, makeKey } from "../../../src/domain/server/KeyRing.ts"

const key = (name: string, secret: string) => ({
  name,
  sha256: hashKey(secret),
  requestsPerMinute: undefined,
  models: undefined
})

describe("the key ring", () => {
  it("knows whose key it is, and which keys are nobody's", () => {
    const ring = new KeyRing([key("a", "secret-a"), key("b", "secret-b")])
    assert.strictEqual(ring.lookup("secret-a")?.name, "a")
    assert.strictEqual(ring.lookup("secret-b")?.name, "b")
    for (const wrong of ["", "secret-", "secret-aa", "Secret-a", hashKey("secret-a")]) {
      assert.isUndefined(ring.lookup(wrong))
    }
    assert.isFalse(ring.isEmpty)
  })

  it("is empty without keys, and then knows nobody", () => {
    const ring = new KeyRing([])
    assert.isTrue(ring.isEmpty)
    assert.isUndefined(ring.lookup("anything"))
  })

  it("hashes as the standard says (FIPS 180-4)", () => {
    assert.strictEqual(hashKey("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  })

  it("makes keys of 256 bits that are never the same and fit into a header", () => {
    const keys = new Set(Array.from({ length: 1000 }, makeKey))
    assert.strictEqual(keys.size, 1000)
    for (const made of keys) assert.match(made, /^gd_[\w-]{43}$/)
  })
})
