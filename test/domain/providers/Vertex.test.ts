import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Vertex from "../../../src/domain/providers/Vertex.ts"
import { CREDENTIAL, conformance, header, hello, response, target } from "./conformance.ts"
import { error, fixtures } from "./geminiFixtures.ts"

const BASE = "https://europe-west4-aiplatform.googleapis.com/v1/projects/p-1/locations/europe-west4/publishers/google"

conformance({ kind: "vertex", baseUrl: BASE, credential: ["authorization", "Bearer k-123"], ...fixtures })

describe("the vertex dialect", () => {
  const vertex = Vertex.make(target(BASE))

  it("sends an access token to the model of the publisher, in project and location", () => {
    const request = Result.getOrThrow(vertex.encode(hello, CREDENTIAL, "answer"))
    assert.strictEqual(request.origin, "https://europe-west4-aiplatform.googleapis.com")
    assert.strictEqual(
      request.path,
      "/v1/projects/p-1/locations/europe-west4/publishers/google/models/model-1:generateContent"
    )
    assert.isUndefined(header(request, "x-goog-api-key"))
  })

  it("gives no hint where Vertex AI gives none, as for its shared quota", () => {
    for (const message of [
      "Resource exhausted. Please try again later. See https://example.com for more details.",
      "Too many requests. Exceeded the Provisioned Throughput."
    ]) {
      const body = error(429, "RESOURCE_EXHAUSTED", message)
      const result = vertex.decode(response({ status: 429, body }), CREDENTIAL, 0)
      assert(Result.isFailure(result))
      assert.deepInclude(result.failure.reason, { _tag: "RateLimited", status: 429, retry: "anywhere" })
      assert.notProperty(result.failure.reason, "retryAfterMs")
    }
  })
})
