/** docs/service.md says nothing that is not so: its commands, and the README's, its settings, snippets and routes are tried as they stand. */
import { execFile } from "node:child_process"
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schedule } from "effect"
import { parse } from "yaml"
import { ApiKeyFile, JobsFile, ServerFile, TelemetryFile, WebhooksFile } from "../../src/domain/config/ServerFile.ts"
import { signatureHeaders } from "../../src/domain/jobs/WebhookSignature.ts"
import { statuses } from "../../src/domain/server/Problem.ts"
import { loadServerCase } from "../layers/config/harness.ts"
import { saysBeforeEnd, start } from "../support/Cli.ts"
import { blocks, type Command, differences, differencesOfText, transcript } from "../support/Markdown.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

const ROOT = join(import.meta.dirname, "../..")
const PAGE = readFileSync(join(ROOT, "docs/service.md"), "utf8")
const README = readFileSync(join(ROOT, "README.md"), "utf8")
const MAIN = join(ROOT, "src/main.ts")

const [quickStart = "", settings = ""] = blocks(PAGE, "yaml")
const [signatureCheck = "", sdkSnippet = ""] = blocks(PAGE, "js")

/** The arguments of a command in the quick start, with any free port in place of its own. */
const argumentsOf = (name: string): ReadonlyArray<string> => {
  const line = new RegExp(`^genai-dispatcher (${name} [^#\\n]*)`, "m").exec(blocks(PAGE, "sh").join("\n"))?.[1] ?? ""
  assert.match(line, /--port 80\d\d/)
  return line
    .replace(/--port \d+/, "--port 0")
    .trim()
    .split(/\s+/)
}

class Started extends Context.Service<
  Started,
  {
    readonly url: string
    readonly folder: (...names: ReadonlyArray<string>) => string
    /** Tells the sandbox to answer nothing any more, or everything again. */
    readonly control: (mode: "hang" | "up") => Effect.Effect<void>
  }
>()("test/Started") {
  /** The sandbox and the service of the quick start. */
  static readonly layer = Layer.effect(
    Started,
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const sandbox = yield* start(argumentsOf("sandbox"))
      const [, sandboxPort] = yield* saysBeforeEnd(sandbox, /listening on http:\/\/127\.0\.0\.1:(\d+)/)
      writeFileSync(folder("dispatcher.yaml"), quickStart.replaceAll(":8081/", `:${sandboxPort}/`))
      const service = yield* start(argumentsOf("serve"), { cwd: folder() })
      const [, url = ""] = yield* saysBeforeEnd(service, /serves on (http:\S+?),[\s\S]*Ctrl-C/)
      // What the page calls genai-dispatcher.
      mkdirSync(folder("bin"))
      const command = `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`
      writeFileSync(folder("bin", "genai-dispatcher"), command, { mode: 0o755 })
      symlinkSync(join(ROOT, "node_modules"), folder("node_modules"))
      const control = (mode: "hang" | "up") =>
        Effect.promise(async () => {
          const order = { method: "POST", body: JSON.stringify({ mode }) }
          const { status } = await fetch(`http://127.0.0.1:${sandboxPort}/control`, order)
          assert.strictEqual(status, 200)
        })
      return { url, folder, control }
    })
  )
}

const execute = promisify(execFile)

/** Runs a line as it stands, but for the port and the id of the job that was accepted last. */
const run = Effect.fnUntraced(function* (line: string, jobId: string) {
  const { folder, url } = yield* Started
  const command = line.replaceAll("localhost:8080", new URL(url).host).replaceAll("JOB_ID", jobId)
  const env = { PATH: `${folder("bin")}:${process.env["PATH"]}`, NO_COLOR: "1" }
  const { stdout } = yield* Effect.promise(() => execute("bash", ["-c", command], { cwd: folder(), env }))
  return stdout
})

/** A job that was accepted just now may still wait: then it is asked for again. */
const runUntilTaken = ({ answer, line }: Command, jobId: string): Effect.Effect<string, never, Started> =>
  Effect.repeat(run(line, jobId), {
    until: (given) => !(answer.includes('"Running"') && given.includes('"Pending"')),
    schedule: Schedule.spaced("20 millis")
  })

layer(Started.layer, { excludeTestServices: true, timeout: "90 seconds" })("the page of the service", (it) => {
  it.effect(
    "shows what its commands answer",
    () =>
      Effect.gen(function* () {
        const { control } = yield* Started
        const transcripts = [PAGE, README].flatMap((page) => blocks(page, "console").map(transcript))
        assert.isAtLeast(transcripts.flat().length, 16)
        let jobId = ""
        for (const commands of transcripts) {
          // However slow the machine is: what is cancelled has not ended.
          yield* control(commands.some(({ line }) => line.includes("DELETE")) ? "hang" : "up")
          for (const command of commands) {
            const given = yield* runUntilTaken(command, jobId)
            jobId = /"job_id":"([^"]+)"/.exec(given)?.[1] ?? jobId
            assert.deepStrictEqual(differencesOfText(command.answer, given), [], command.line)
          }
        }
      }),
    60_000
  )

  it.effect(
    "shows how each SDK gets an answer",
    () =>
      Effect.gen(function* () {
        const { folder, url } = yield* Started
        writeFileSync(folder("sdks.mjs"), sdkSnippet.replaceAll("http://localhost:8080", url))
        const { stdout } = yield* Effect.promise(() => execute(process.execPath, [folder("sdks.mjs")]))
        const lines = stdout.trimEnd().split("\n")
        assert.strictEqual(lines.length, 3)
        // The sandbox answers the same to the same question, whoever asks.
        assert.match(lines[0] ?? "", /^[A-Z][a-z ]+/)
        assert.strictEqual(new Set(lines).size, 1, stdout)
      }),
    60_000
  )

  it.effect("names only routes that there are, and all of the API's", () =>
    Effect.gen(function* () {
      const { url } = yield* Started
      const named = new Set(
        [...PAGE.matchAll(/`(GET|POST|DELETE) (\/[^`\s]+)`/g)].map(([, method, path]) => `${method} ${path}`)
      )
      assert.isAtLeast(named.size, 15)
      for (const route of named) {
        const [method = "", path = ""] = route.split(" ")
        const target = path.replace("{id}", "none").replace("{model}", "fast")
        const response = yield* Effect.promise(() => fetch(url + target, { method }))
        const body = yield* Effect.promise(() => response.text())
        assert.notInclude(body, "There is no such path", route)
        assert.notStrictEqual(response.status, 405, route)
      }
      const document = yield* Effect.promise(() => fetch(`${url}/openapi.json`).then((response) => response.text()))
      const paths: Readonly<Record<string, object>> = JSON.parse(document).paths
      const paged = [...named].map((route) => route.replace(/\?.*/, ""))
      for (const [path, methods] of Object.entries(paths)) {
        for (const method of Object.keys(methods)) assert.include(paged, `${method.toUpperCase()} ${path}`)
      }
    })
  )

  it.effect("shows a check of signatures that knows ours, and no others", () =>
    Effect.gen(function* () {
      const { folder } = yield* Started
      writeFileSync(folder("check.mjs"), signatureCheck)
      const { isOurs } = yield* Effect.promise(() => import(pathToFileURL(folder("check.mjs")).href))
      const secret = "a secret that nobody knows"
      const body = '{"job_id":"1","status":"Completed"}'
      const now = Date.now()
      const headers = signatureHeaders(secret, { id: "1", nowMs: now, body })
      assert.isTrue(isOurs(headers, body, secret))
      assert.isFalse(isOurs(headers, `${body} `, secret))
      assert.isFalse(isOurs(headers, body, `${secret}x`))
      assert.isFalse(isOurs({ ...headers, "webhook-id": "2" }, body, secret))
      assert.isFalse(isOurs({}, body, secret))
      assert.isFalse(isOurs(signatureHeaders(secret, { id: "1", nowMs: now - 600_000, body }), body, secret))
    })
  )
})

describe("the page of the service", () => {
  const load = (yaml: string) =>
    loadServerCase({
      files: { "dispatcher.yaml": yaml },
      file: "dispatcher.yaml",
      env: { OTLP_TOKEN: "token", WEBHOOK_SECRET: "at least sixteen letters" }
    })

  it.effect("shows configs that load, with the defaults that it says", () =>
    Effect.gen(function* () {
      const { server: plain } = yield* load(quickStart)
      const { server: whole } = yield* load(settings)
      const { apiKeys: _keys, jobs, models: _models, telemetry, webhooks, ...rest } = plain
      const { instance: _instance, concurrency: _concurrency, ...jobDefaults } = jobs
      assert.deepInclude(whole, rest)
      assert.deepInclude(whole.jobs, jobDefaults)
      assert.strictEqual(whole.webhooks.allowPrivate, webhooks.allowPrivate)
      assert.strictEqual(whole.webhooks.maxAttempts, webhooks.maxAttempts)
      assert.strictEqual(whole.telemetry.serviceName, telemetry.serviceName)
      assert.strictEqual(whole.telemetry.sampleRatio, telemetry.sampleRatio)
    })
  )

  it("shows every setting", () => {
    const { server, telemetry } = parse(settings)
    const names = (schema: { readonly fields: object }) => Object.keys(schema.fields).sort()
    const shown = (section: object) => Object.keys(section).sort()
    assert.deepStrictEqual(shown(server), names(ServerFile))
    assert.deepStrictEqual(shown(server.apiKeys[0]), names(ApiKeyFile))
    // The database's URL has no place beside a file.
    assert.deepStrictEqual(shown({ ...server.jobs, urlEnv: "" }), names(JobsFile))
    assert.include(settings, "urlEnv: DATABASE_URL")
    assert.deepStrictEqual(shown(server.webhooks), names(WebhooksFile))
    assert.deepStrictEqual(shown(telemetry), names(TelemetryFile))
  })

  it("lists the statuses that there are", () => {
    const listed = [...PAGE.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, cell = ""]) => cell.split(",").map(Number))
    assert.deepStrictEqual(
      listed,
      [...new Set(Object.values(statuses))].sort((a, b) => a - b)
    )
  })
})

describe("comparing with a page", () => {
  it("finds members, types and values that are not as printed", () => {
    assert.deepStrictEqual(differencesOfText('{"a":"x...","b":...,"c":[1]}', '{"a":"xyz","b":7.5,"c":[1]}'), [])
    for (const given of [
      '{"a":"yz","b":1,"c":[1]}',
      '{"a":"xy","b":"1","c":[1]}',
      '{"a":"xy","b":1}',
      '{"a":"xy","b":1,"c":[2]}'
    ]) {
      assert.lengthOf(differencesOfText('{"a":"x...","b":...,"c":[1]}', given), 1, given)
    }
    assert.lengthOf(differencesOfText("a\nb", "a"), 1)
    assert.lengthOf(differencesOfText("a... c", "a b d"), 1)
    assert.lengthOf(differences([1], { 0: 1 }), 1)
  })
})
