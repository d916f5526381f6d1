import { assert, describe, it } from "@effect/vitest"
import {
  baseUrlOf,
  identifiers,
  misplacedFields,
  type TargetFields,
  usualKey
} from "../../../src/domain/config/EndpointTarget.ts"

/** The base URL, or the missing field with its message. */
const settled = ({ baseUrl, ...fields }: Omit<TargetFields, "baseUrl"> & { readonly baseUrl?: string }): string => {
  const target = baseUrlOf({ ...fields, ...(baseUrl === undefined ? {} : { baseUrl: new URL(baseUrl) }) })
  return target instanceof URL ? target.href : `${target.field}: ${target.message}`
}

const azure = "https://res.openai.azure.com"
const own = "http://127.0.0.1:8080/v1"

describe("the base URL", () => {
  it.each([
    ["openai", { kind: "openai", baseUrl: "https://h/v1/" }, "https://h/v1"],
    ["openai without any", { kind: "openai" }, "baseUrl: missing; write baseUrl: https://host/v1"],
    ["raw, as it is", { kind: "raw", baseUrl: "https://h/predict/?a=b" }, "https://h/predict/?a=b"],
    ["gemini", { kind: "gemini" }, "https://generativelanguage.googleapis.com/v1beta"],
    ["gemini with one of its own", { kind: "gemini", baseUrl: own }, own],
    ["anthropic", { kind: "anthropic" }, "https://api.anthropic.com/"],
    ["anthropic with one of its own", { kind: "anthropic", baseUrl: "https://h/" }, "https://h/"],
    [
      "vertex",
      { kind: "vertex", project: "p-1", location: "europe-west4" },
      "https://europe-west4-aiplatform.googleapis.com/v1/projects/p-1/locations/europe-west4/publishers/google"
    ],
    [
      "vertex without a location",
      { kind: "vertex", project: "p-1" },
      "https://aiplatform.googleapis.com/v1/projects/p-1/locations/global/publishers/google"
    ],
    [
      "vertex of a domain's project",
      { kind: "vertex", project: "example.com:p-1", location: "global" },
      "https://aiplatform.googleapis.com/v1/projects/example.com:p-1/locations/global/publishers/google"
    ],
    [
      "vertex without a project",
      { kind: "vertex" },
      "project: missing; write project: ID, or set GOOGLE_CLOUD_PROJECT"
    ],
    ["vertex with one of its own", { kind: "vertex", project: "p-1", baseUrl: own }, own],
    [
      "cloudflare",
      { kind: "cloudflare", account: "abc123" },
      "https://api.cloudflare.com/client/v4/accounts/abc123/ai"
    ],
    [
      "cloudflare without an account",
      { kind: "cloudflare" },
      "account: missing; write account: ID, or set CLOUDFLARE_ACCOUNT_ID"
    ],
    ["cloudflare with one of its own", { kind: "cloudflare", account: "abc", baseUrl: own }, own],
    [
      "azure",
      { kind: "azure", baseUrl: `${azure}/`, deployment: "gpt" },
      `${azure}/openai/deployments/gpt?api-version=2024-10-21`
    ],
    [
      "azure with a version",
      { kind: "azure", baseUrl: azure, deployment: "gpt", apiVersion: "2025-01-01-preview" },
      `${azure}/openai/deployments/gpt?api-version=2025-01-01-preview`
    ],
    [
      "azure with the whole URL",
      { kind: "azure", baseUrl: `${azure}/openai/deployments/gpt/?api-version=2024-02-01` },
      `${azure}/openai/deployments/gpt?api-version=2024-02-01`
    ],
    [
      "azure with the whole URL but the version",
      { kind: "azure", baseUrl: `${azure}/openai/deployments/gpt` },
      `${azure}/openai/deployments/gpt?api-version=2024-10-21`
    ],
    ["azure by the API without versions", { kind: "azure", baseUrl: `${azure}/openai/v1/` }, `${azure}/openai/v1`],
    [
      "azure behind a gateway",
      { kind: "azure", baseUrl: "https://gateway/east?team=a", deployment: "gpt" },
      "https://gateway/east/openai/deployments/gpt?team=a&api-version=2024-10-21"
    ],
    ["azure without a deployment", { kind: "azure", baseUrl: azure }, "deployment: missing; write deployment: NAME"],
    [
      "azure without a resource",
      { kind: "azure", deployment: "gpt" },
      "baseUrl: missing; write baseUrl: https://RESOURCE.openai.azure.com"
    ]
  ] as const)("of %s", (_, fields, expected) => {
    assert.strictEqual(settled(fields), expected)
  })
})

describe("identifiers", () => {
  it.each([
    ["location", "europe-west4", "evil.example/#"],
    ["location", "global", "a.b"],
    ["project", "my-project-123", "../../x"],
    ["project", "example.com:p", "a b"],
    ["account", "0123abcd", "a/b"],
    ["deployment", "gpt-4.1_mini", "a/b"],
    ["apiVersion", "2024-10-21", "1&x=y"],
    ["serviceAccount", "sa@p.iam.gserviceaccount.com", "sa"]
  ] as const)("of a %s allow %s and not %s", (field, good, bad) => {
    assert.match(good, identifiers[field].pattern)
    assert.notMatch(bad, identifiers[field].pattern)
  })
})

describe("the usual key", () => {
  it.each([
    ["openai", "https://api.openai.com/v1", "OPENAI_API_KEY"],
    ["openai", undefined, undefined],
    ["openai", "https://api.openai.com:8443/v1", undefined],
    ["openai", "https://generativelanguage.googleapis.com/v1beta/openai", undefined],
    ["gemini", undefined, "GEMINI_API_KEY"],
    ["gemini", "https://generativelanguage.googleapis.com/v1", "GEMINI_API_KEY"],
    ["gemini", "http://generativelanguage.googleapis.com/v1", undefined],
    ["gemini", "https://user-content.example/v1beta", undefined],
    ["anthropic", undefined, "ANTHROPIC_API_KEY"],
    ["anthropic", "https://api.anthropic.com.example/", undefined],
    ["cloudflare", undefined, "CLOUDFLARE_API_TOKEN"],
    ["cloudflare", "http://127.0.0.1:80/", undefined],
    ["azure", "https://res.openai.azure.com", undefined],
    ["vertex", undefined, undefined],
    ["raw", "https://api.openai.com/v1", undefined]
  ] as const)("of %s at %s is that of %s", (kind, baseUrl, variable) => {
    assert.strictEqual(usualKey(kind, baseUrl), variable)
  })
})

describe("fields of other kinds", () => {
  it("are named with the kind that they belong to", () => {
    const fields = { name: "a", account: "x", keyFile: "k.json", deployment: "d", model: "m" }
    assert.deepStrictEqual(
      misplacedFields("vertex", fields, "e").map(({ message, path }) => `${path}: ${message}`),
      ["e.account: belongs to kind cloudflare; remove it here", "e.deployment: belongs to kind azure; remove it here"]
    )
    assert.deepStrictEqual(misplacedFields(undefined, fields, "e"), [])
  })
})
