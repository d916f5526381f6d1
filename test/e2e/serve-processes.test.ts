/** `serve --processes N`: to its clients one service, whichever of its processes they meet, and whichever of them die. */
import { readFileSync } from "node:fs"
import { Agent, createServer, get } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { vi } from "vitest"
import { hashKey } from "../../src/domain/server/KeyRing.ts"
import * as SandboxServer from "../../src/layers/sandbox/SandboxServer.ts"
import type { Sandbox } from "../../src/services/Sandbox.ts"
import { isAlive } from "../layers/batch/processes/Harness.ts"
import { run } from "../support/Cli.ts"
import { parse, valueOf } from "../support/PrometheusParser.ts"
import { type Running, startService, until } from "../support/Service.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

/** Each test starts several processes, on a machine that may have others to do. */
vi.setConfig({ testTimeout: 120_000 })

const serve = Effect.fnUntraced(function* (
  sandbox: Sandbox["Service"],
  processes: number,
  options: { readonly config?: Readonly<Record<string, unknown>>; readonly args?: ReadonlyArray<string> } = {}
) {
  const folder = yield* temporaryFolder
  const args = ["--processes", String(processes), ...(options.args ?? [])]
  return yield* startService({ folder, sandbox: sandbox.origin, ...options, args })
})

/** The processes that a process has started. */
const childrenOf = (pid: number): ReadonlyArray<number> =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number)

const gone = (pids: ReadonlyArray<number>) => until(Effect.sync(() => !pids.some(isAlive)))

interface Answer {
  readonly status: number
  readonly body: string
}

/** Over a connection of its own. Fails when that breaks. */
const request = (url: string, init: RequestInit = {}): Effect.Effect<Answer> =>
  Effect.promise(async (signal) => {
    const response = await fetch(url, { signal, ...init, headers: { connection: "close", ...init.headers } })
    return { status: response.status, body: await response.text() }
  })

const post = (url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  request(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body)
  })

const chat = ({ url }: Running, headers: Readonly<Record<string, string>> = {}) =>
  post(`${url}/v1/chat/completions`, { model: "m", messages: [{ role: "user", content: "Hello" }] }, headers)

const submit = ({ url }: Running) =>
  Effect.map(
    post(`${url}/generate`, { contents: [{ role: "user", parts: [{ text: "Hello" }] }] }),
    ({ body }): string => JSON.parse(body).job_id
  )

/** Over one of the connections of `agent`; fails when that breaks. */
const live = ({ url }: Running, agent: Agent | false): Effect.Effect<number, Error> =>
  Effect.callback((resume) => {
    const asked = get(`${url}/health/live`, { agent }, (response) => {
      response.resume()
      response.once("close", () => resume(Effect.succeed(response.statusCode ?? 0)))
    })
    asked.once("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => asked.destroy())
  })

/** Its two processes, once there are two. */
const pair = ({ pid }: Running) =>
  Effect.gen(function* () {
    yield* until(Effect.sync(() => childrenOf(pid).length === 2))
    return childrenOf(pid)
  })

const times = <A, E = never>(n: number, work: Effect.Effect<A, E>, concurrency: number | "unbounded" = "unbounded") =>
  Effect.all(
    Array.from({ length: n }, () => work),
    { concurrency }
  )

const inflight = (sandbox: Sandbox["Service"], count: number) =>
  until(Effect.map(sandbox.stats, (stats) => stats.inflight === count))

const statuses = (answers: ReadonlyArray<Answer>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

describe("a process that is killed", () => {
  it.live("takes only its own requests along, is replaced, and its jobs are run by the one in its place", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ latency: "fixed:4s" })
      const service = yield* serve(sandbox, 2)
      const before = childrenOf(service.pid)
      assert.lengthOf(before, 2)
      const jobs = yield* times(8, submit(service))
      const asking = yield* Effect.forkChild(times(8, Effect.exit(chat(service))))
      yield* inflight(sandbox, 16)
      process.kill(before[0]!, "SIGKILL")

      const exits = yield* Fiber.join(asking)
      const answered = exits.filter((exit) => Exit.isSuccess(exit) && exit.value.status === 200)
      assert.isAbove(answered.length, 0, "the other one goes on")
      assert.isBelow(answered.length, 8, "requests are spread over both")

      for (const job of jobs) {
        yield* until(
          Effect.map(request(`${service.url}/jobs/${job}`), ({ body }) => JSON.parse(body).status === "Completed")
        )
      }
      const after = childrenOf(service.pid)
      assert.lengthOf(after, 2)
      assert.notInclude(after, before[0])
      assert.include(after, before[1])
      service.child.kill("SIGTERM")
      const { code, stderr } = yield* service.finished
      assert.strictEqual(code, 0, stderr)
      assert.match(
        stderr,
        new RegExp(`^warning: Process \\d of 2 \\(pid ${before[0]}\\) has ended \\(SIGKILL\\): .*\n`)
      )
    })
  )

  it.live("or several, are replaced also when none is left, on the same port", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({})
      const service = yield* serve(sandbox, 2)
      const before = childrenOf(service.pid)
      assert.lengthOf(before, 2)
      for (const pid of before) process.kill(pid, "SIGKILL")
      yield* gone(before)
      const isBack = Effect.map(Effect.exit(chat(service)), (exit) => Exit.isSuccess(exit) && exit.value.status === 200)
      yield* until(isBack)
    })
  )

  for (const signal of ["SIGSEGV", "SIGABRT", "SIGKILL"] as const) {
    it.live(`while it holds and is given connections is replaced, and the service ends when asked (${signal})`, () =>
      Effect.gen(function* () {
        const sandbox = yield* SandboxServer.make({})
        const service = yield* serve(sandbox, 2)
        // The ones that stay open, and the many that come while processes die.
        const agent = yield* Effect.acquireRelease(
          Effect.sync(() => new Agent({ keepAlive: true, maxSockets: 60 })),
          (agent) => Effect.sync(() => agent.destroy())
        )
        yield* times(60, live(service, agent))
        const crowd = yield* Effect.forkChild(times(16, Effect.forever(Effect.exit(live(service, false)))))
        for (let round = 0; round < 3; round++) {
          const before = yield* pair(service)
          for (const pid of before) process.kill(pid, signal)
          yield* gone(before)
        }
        yield* pair(service)
        yield* Fiber.interrupt(crowd)
        const isBack = Effect.map(
          Effect.exit(chat(service)),
          (exit) => Exit.isSuccess(exit) && exit.value.status === 200
        )
        yield* until(isBack)
        service.child.kill("SIGTERM")
        const { code, stderr } = yield* service.finished
        assert.strictEqual(code, 0, stderr)
      })
    )
  }
})

describe("limits", () => {
  it.live("of sends hold over all processes together", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({})
      const service = yield* serve(sandbox, 4, { args: ["--max-requests-per-second", "42"] })
      const began = performance.now()
      assert.deepStrictEqual(statuses(yield* times(130, chat(service), 32)), { 200: 130 })
      const elapsedMs = performance.now() - began
      assert.strictEqual((yield* sandbox.stats).received, 130)
      // No faster than the limit allows, all but the first of each process; on a busy machine it may well be slower, and
      // what was sent in time may arrive together, so that no second of arrivals tells.
      assert.isAtLeast(elapsedMs, ((130 - 4) / 42) * 1_000)
    })
  )

  it.live("of API keys hold over all processes, each of which may use them up; the figures are those of all", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({})
      const apiKeys = [
        { name: "many", sha256: hashKey("key-of-many-connections"), requestsPerMinute: 50 },
        { name: "one", sha256: hashKey("key-of-one-connection-only"), requestsPerMinute: 21 }
      ]
      const service = yield* serve(sandbox, 3, { config: { server: { apiKeys } } })
      const many = { authorization: "Bearer key-of-many-connections" }
      assert.deepStrictEqual(statuses(yield* times(90, chat(service, many))), { 200: 50, 429: 40 })

      const one = { authorization: "Bearer key-of-one-connection-only", connection: "keep-alive" }
      assert.deepStrictEqual(statuses(yield* times(30, chat(service, one), 1)), { 200: 21, 429: 9 })

      const metrics = () => request(`${service.url}/metrics`, { headers: many })
      for (const { body } of yield* times(6, metrics())) {
        const [worker] = JSON.parse(body)
        assert.strictEqual(worker.sent, 71)
        assert.strictEqual(worker.completed, 71)
        assert.strictEqual(worker.concurrency, 256, "what is told is the whole")
      }
      for (const { body } of yield* times(6, request(`${service.url}/metrics/prometheus`, { headers: many }))) {
        const families = parse(body)
        const requests = (status: string) =>
          valueOf(families, "genai_dispatcher_http_requests_total", { route: "openai.chat", status })
        assert.strictEqual(requests("200"), 71)
        assert.strictEqual(requests("429"), 49)
        assert.strictEqual(valueOf(families, "genai_dispatcher_endpoint_sends_total", { endpoint: "east" }), 71)
        const processes = families.get("process_resident_memory_bytes")?.samples.map(({ labels }) => labels["process"])
        assert.deepStrictEqual(processes?.toSorted(), ["0", "1", "2"])
      }

      const [stopped] = childrenOf(service.pid)
      assert.isDefined(stopped)
      process.kill(stopped, "SIGKILL")
      yield* gone([stopped])
      yield* until(Effect.sync(() => childrenOf(service.pid).length === 3))
      const left = yield* until(
        Effect.map(Effect.exit(metrics()), (exit) => {
          if (Exit.isFailure(exit)) return false
          assert.strictEqual(JSON.parse(exit.value.body)[0].sent, 71, "what a dead process did is not forgotten")
          return true
        })
      )
      return left
    })
  )
})

describe("a process that does not answer", () => {
  it.live("does not keep the others from telling how all are, as far as is known", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({})
      const service = yield* serve(sandbox, 2)
      yield* times(10, chat(service))
      yield* request(`${service.url}/metrics`)
      const [hanging] = childrenOf(service.pid)
      assert.isDefined(hanging)
      process.kill(hanging, "SIGSTOP")
      // The one that hangs may be given a connection before that is noticed; it answers when it goes on.
      const asked = yield* Effect.forkChild(times(3, request(`${service.url}/metrics`)))
      const { body } = yield* Effect.raceFirst(
        request(`${service.url}/metrics`),
        Effect.raceFirst(request(`${service.url}/metrics`), request(`${service.url}/metrics`))
      )
      assert.strictEqual(JSON.parse(body)[0].sent, 10)
      process.kill(hanging, "SIGCONT")
      for (const { body } of yield* Fiber.join(asked)) assert.strictEqual(JSON.parse(body)[0].sent, 10)
    })
  )
})

describe("the end", () => {
  it.live("lets what runs in all processes end, also when the signal comes to all of them", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ latency: "fixed:3s" })
      const service = yield* serve(sandbox, 3)
      const children = childrenOf(service.pid)
      assert.lengthOf(children, 3)
      const asking = yield* Effect.forkChild(times(9, chat(service)))
      yield* inflight(sandbox, 9)
      for (const pid of [service.pid, ...children]) process.kill(pid, "SIGTERM")
      assert.deepStrictEqual(statuses(yield* Fiber.join(asking)), { 200: 9 })
      const { code, stderr, stdout } = yield* service.finished
      assert.strictEqual(code, 0, stderr)
      assert.strictEqual(stderr, "stopping: 9 requests in flight, up to 30s; Ctrl-C again to stop at once\n")
      assert.match(stdout, /\nStopped: 9 requests sent to endpoints, 9 answered\n$/)
      assert.isFalse(children.some(isAlive))
    })
  )

  it.live("comes at once with a second signal", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ failures: "stall=1" })
      const service = yield* serve(sandbox, 2)
      const children = childrenOf(service.pid)
      assert.lengthOf(children, 2)
      const asking = yield* Effect.forkChild(times(4, Effect.exit(chat(service))))
      yield* inflight(sandbox, 4)
      // Signals that follow each other closely are one that came on two ways: so, again until it counts.
      const signal = Effect.sync(() => service.child.kill("SIGTERM"))
      const again = Effect.forever(Effect.delay(signal, "250 millis"))
      const { code, stderr } = yield* Effect.raceFirst(service.finished, again)
      assert.strictEqual(code, 130, stderr)
      yield* gone(children)
      yield* Fiber.join(asking)
      yield* inflight(sandbox, 0)
    })
  )

  it.live("of the first process is that of all", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ failures: "stall=1" })
      const service = yield* serve(sandbox, 2)
      const children = childrenOf(service.pid)
      assert.lengthOf(children, 2)
      const asking = yield* Effect.forkChild(times(4, Effect.exit(chat(service))))
      yield* inflight(sandbox, 4)
      service.child.kill("SIGKILL")
      yield* gone(children)
      yield* Fiber.join(asking)
      yield* inflight(sandbox, 0)
    })
  )
})

describe("what keeps it from starting", () => {
  const refused = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
    const folder = yield* temporaryFolder
    const options = ["serve", "--processes", "3", "--endpoint", "http://127.0.0.1:9/v1,model=m", ...args]
    const { code, stderr, stdout } = yield* run(options, { cwd: folder() })
    assert.deepStrictEqual({ code, stdout }, { code: 2, stdout: "" })
    return stderr
  })

  it.live("is said once, with exit code 2: limits that cannot be shared, a port in use", () =>
    Effect.gen(function* () {
      assert.match(
        yield* refused(["--max-requests-per-second", "2"]),
        /^error: --max-requests-per-second: 2 cannot be shared by 3 processes: use --processes 2 or fewer\n$/
      )
      const taken = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer()
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const { port } = taken.address() as AddressInfo
      assert.match(
        yield* refused(["--port", String(port)]),
        new RegExp(`^error: Port ${port} on 127\\.0\\.0\\.1 is in use: .*\n$`)
      )
    })
  )

  it.live("or a store of jobs that each process would have for itself", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({})
      const exit = yield* Effect.exit(serve(sandbox, 2, { config: { server: { jobs: { store: "memory" } } } }))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "jobs in memory are known to one process only")
    })
  )
})
