import { assert, describe, it } from "@effect/vitest"
import { keyBytes } from "../../../src/domain/jobs/WebhookSignature.ts"

describe("the secret that signs deliveries", () => {
  it("is as long as the key that it stands for, and none when it is no base64", () => {
    assert.strictEqual(keyBytes("whsec_!!!!!!!!!!!!!!!!!!!!!!!!"), 0)
    assert.strictEqual(keyBytes(`whsec_${Buffer.alloc(24).toString("base64")}`), 24)
    assert.strictEqual(keyBytes(`whsec_${Buffer.alloc(8).toString("base64")}`), 8)
    assert.strictEqual(keyBytes("plain words of 25 letters"), 25)
  })
})
