/** The examples run as they stand, each as a program of its own. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "vitest"

const runExample = async (name: string): Promise<string> => {
  const path = fileURLToPath(new URL(`../../examples/${name}`, import.meta.url))
  return (await promisify(execFile)(process.execPath, [path])).stdout
}

describe("examples", () => {
  it("embed.ts gives answers, handles the handler's own error, and shows the metrics", async () => {
    const [answers, big, small] = (await runExample("embed.ts")).split("\n")
    assert.strictEqual(answers, "HELLO DEAR WORLD (32 characters are too many)")
    assert.strictEqual(big, "big: 3 completed, 1 errors")
    assert.strictEqual(small, "small: 0 completed, 0 errors")
  })

  it("promises.ts asks, streams, fails, is given up, and ends", async () => {
    const output = await runExample("promises.ts")
    assert.strictEqual(output, "3 answers from sandbox\nenough of a story\nno answer: DeadlineExceeded\ngiven up\n")
  })

  it("http-handler.ts answers over HTTP and ends", async () => {
    const output = await runExample("http-handler.ts")
    assert.match(output, /^listening on http:\S+\/ask\n200 \{"text":"[^"]+","endpoint":"sandbox"\}\n$/)
  })

  it("service.ts serves the API of OpenAI within an app", async () => {
    const answer: unknown = JSON.parse(await runExample("service.ts"))
    assert.deepInclude(answer, { object: "chat.completion", model: "sandbox" })
  })
})
