import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { isTooOld, LEAST_NODE } from "../../../src/layers/cli/NodeVersion.ts"

describe("the Node that the tool needs", () => {
  it("is that of the package", () => {
    const { engines } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"))
    assert.deepStrictEqual(engines, { node: `>=${LEAST_NODE}` })
  })

  it.each(["18.20.8", "20.20.2", "22.0.0", "22.18.9"])("is not %s", (version) => {
    assert.isTrue(isTooOld(version))
  })

  it.each(["22.19.0", "22.20.1", "24.0.0", "100.1.0", "24.0.0-nightly20250101"])("may be %s", (version) => {
    assert.isFalse(isTooOld(version))
  })
})
