/** `serve` as its users have it: a process that starts, answers, is told to stop, and says what is wrong. */
import { writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as SandboxServer from "../../src/layers/sandbox/SandboxServer.ts"
import type { Sandbox } from "../../src/services/Sandbox.ts"
import { run, says, until } from "../support/Cli.ts"
import { serve } from "../support/Service.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

const inflight = (sandbox: Sandbox["Service"], count: number) =>
  until(Effect.map(sandbox.stats, (stats) => stats.inflight === count))

interface Answer {
  readonly status: number
  readonly body: string
}

const request = (url: string, init?: RequestInit): Effect.Effect<Answer> =>
  Effect.promise(async (signal) => {
    const response = await fetch(url, { signal, ...init })
    return { status: response.status, body: await response.text() }
  })

const chat = (url: string, headers: Readonly<Record<string, string>> = {}) =>
  request(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "Hello" }] })
  })

const submit = (url: string) =>
  Effect.map(
    request(`${url}/generate`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ contents: [{ role: "user", parts: [{ text: "Hello" }] }] })
    }),
    ({ body }): string => JSON.parse(body).job_id
  )

describe("SIGTERM", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it.live(`lets what runs end, takes nothing new, sums up and exits with 0 (${signal})`, () =>
      Effect.gen(function* () {
        const sandbox = yield* SandboxServer.make({ latency: "fixed:3s" })
        const folder = yield* temporaryFolder
        const service = yield* serve(["--endpoint", `${sandbox.url},model=m`], { cwd: folder() })
        assert.strictEqual((yield* request(`${service.url}/health/ready`)).status, 200)
        const answer = yield* Effect.forkChild(chat(service.url))
        yield* inflight(sandbox, 1)
        const stopping = yield* Effect.forkChild(says(service, /stopping: .*\n/, "stderr"), { startImmediately: true })
        service.child.kill(signal)
        const [line] = yield* Fiber.join(stopping)
        assert.match(line, /^stopping: 1 request in flight, up to 30s; Ctrl-C again to stop at once\n$/)

        assert.strictEqual((yield* Fiber.join(answer)).status, 200)
        const { code, stderr, stdout } = yield* service.finished
        assert.strictEqual(code, 0, stderr)
        assert.match(stdout, /\nStopped: 1 request sent to endpoints, 1 answered\n$/)
        assert.strictEqual((yield* sandbox.stats).aborted, 0)
      })
    )
  }

  it.live("cuts off what takes longer than the grace, and keeps its jobs for the next start, which runs them", () =>
    Effect.gen(function* () {
      const stalled = yield* SandboxServer.make({ failures: "stall=1" })
      const healthy = yield* SandboxServer.make({})
      const folder = yield* temporaryFolder
      const service = yield* serve(["--endpoint", `${stalled.url},model=m`, "--grace", "100ms"], { cwd: folder() })
      const jobs = yield* Effect.all([submit(service.url), submit(service.url), submit(service.url)])
      yield* inflight(stalled, 3)
      service.child.kill("SIGTERM")
      const { code, stderr, stdout } = yield* service.finished
      assert.strictEqual(code, 0, stderr)
      assert.match(stdout, /; 3 jobs left in genai-dispatcher\.db for the next start\n$/)
      yield* until(Effect.map(stalled.stats, (stats) => stats.aborted === 3))

      const next = yield* serve(["--endpoint", `${healthy.url},model=m`], { cwd: folder() })
      for (const job of jobs) {
        yield* until(
          Effect.map(request(`${next.url}/jobs/${job}`), ({ body }) => JSON.parse(body).status === "Completed")
        )
      }
      assert.strictEqual((yield* healthy.stats).received, 3, "no job was run twice")
    })
  )

  it.live("that comes twice ends it at once", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ failures: "stall=1" })
      const folder = yield* temporaryFolder
      const service = yield* serve(["--endpoint", `${sandbox.url},model=m`], { cwd: folder() })
      const answer = yield* Effect.forkChild(Effect.exit(chat(service.url)))
      yield* inflight(sandbox, 1)
      const stopping = yield* Effect.forkChild(says(service, /stopping:/, "stderr"), { startImmediately: true })
      service.child.kill("SIGTERM")
      yield* Fiber.join(stopping)
      // Signals that follow each other closely are one that came on two ways: so, again until it counts.
      const again = Effect.forever(
        Effect.delay(
          Effect.sync(() => service.child.kill("SIGTERM")),
          "150 millis"
        )
      )
      const { code, stderr } = yield* Effect.raceFirst(service.finished, again)
      assert.strictEqual(code, 130, stderr)
      assert.match(stderr, /\nStopped at once: .*\n$/)
      yield* Fiber.await(answer)
      yield* until(Effect.map(sandbox.stats, (stats) => stats.aborted === 1))
    })
  )
})

describe("API keys", () => {
  it.live("made by key are let in, others are not, and nobody is asked with --no-auth", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({})
      const folder = yield* temporaryFolder
      const made = yield* run(["key", "--name", "team-a"])
      assert.strictEqual(made.code, 0, made.stderr)
      const key = /^ {2}(gd_\S+)$/m.exec(made.stdout)?.[1] ?? ""
      const section = made.stdout.slice(made.stdout.indexOf("server:\n"))
      writeFileSync(
        folder("dispatcher.yaml"),
        `endpoints: [{ name: east, kind: openai, baseUrl: "${sandbox.url}", model: m }]\n${section}`
      )
      const service = yield* serve([], { cwd: folder() })
      assert.strictEqual((yield* chat(service.url, { authorization: `Bearer ${key}` })).status, 200)
      assert.strictEqual((yield* chat(service.url, { authorization: `Bearer ${key}x` })).status, 401)
      assert.strictEqual((yield* chat(service.url)).status, 401)
      service.child.kill("SIGTERM")
      const { code, stderr, stdout } = yield* service.finished
      assert.strictEqual(code, 0, stderr)
      assert.match(stdout, /, with API keys\n/)
      assert.match(stdout, /1 key: team-a/)
      for (const said of [stdout, stderr]) assert.notInclude(said, key)

      const open = yield* serve(["--no-auth"], { cwd: folder() })
      assert.strictEqual((yield* chat(open.url)).status, 200)
      assert.strictEqual((yield* chat(open.url, { authorization: `Bearer ${key}x` })).status, 200)
    })
  )

  it.live("are hashed from standard input, which is where no other user sees them", () =>
    Effect.gen(function* () {
      const hashed = yield* run(["key", "--stdin"], { input: "correct-horse-battery-staple\n" })
      assert.strictEqual(hashed.code, 0, hashed.stderr)
      assert.match(hashed.stdout, /sha256: 87cbebfeebc05f7c54ac9336c4b4bbec831227a641951a4bde7edd56020f8590 /)
      assert.notInclude(hashed.stdout, "correct-horse")
      const { code, stderr, stdout } = yield* run(["key", "--stdin"], { input: "short" })
      assert.deepStrictEqual({ code, stdout }, { code: 2, stdout: "" })
      assert.match(stderr, /^error: A key needs at least 20 letters, .*\n$/)
    })
  )
})

describe("what keeps it from starting", () => {
  it.live("is told in one line, with exit code 2: a port in use", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const taken = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer()
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const { port } = taken.address() as AddressInfo
      const args = ["serve", "--endpoint", "http://127.0.0.1:9/v1,model=m", "--port", String(port)]
      const { code, stderr, stdout } = yield* run(args, { cwd: folder() })
      assert.deepStrictEqual({ code, stdout }, { code: 2, stdout: "" })
      assert.match(stderr, new RegExp(`^error: Port ${port} on 127\\.0\\.0\\.1 is in use: .*\n$`))
    })
  )
})
