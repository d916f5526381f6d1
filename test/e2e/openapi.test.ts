/** The OpenAPI document of the service: valid, and good enough to make a client of. */
import { symlink } from "node:fs/promises"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import SwaggerParser from "@apidevtools/swagger-parser"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { build } from "esbuild"
import { generate } from "openapi-typescript-codegen"
import { startApi } from "../layers/server/api/harness.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

interface GeneratedJob {
  readonly job_id: string
  readonly status: string
  readonly result?: { readonly text: string }
}

/** What is used of a generated client. */
interface GeneratedClient {
  readonly ApiError: new () => Error & { readonly body: { readonly code: string } }
  readonly OpenAPI: { BASE: string }
  readonly JobsService: {
    readonly jobsSubmit: (options: object) => Promise<{ readonly text: string }>
    readonly jobsGenerate: (options: object) => Promise<{ readonly job_id: string }>
    readonly jobsGetJob: (options: object) => Promise<GeneratedJob>
    readonly jobsListJobs: (options: object) => Promise<{ readonly jobs: ReadonlyArray<GeneratedJob> }>
    readonly jobsCancelJob: (options: object) => Promise<GeneratedJob>
  }
}

/** A client of the document, generated and loaded. */
const generated = Effect.fnUntraced(function* (document: object) {
  const folder = yield* temporaryFolder
  yield* Effect.promise(() => symlink(join(process.cwd(), "node_modules"), folder("node_modules")))
  const output = folder("client")
  yield* Effect.promise(() =>
    generate({ input: structuredClone(document), output, httpClient: "fetch", useOptions: true })
  )
  const file = folder("client.mjs")
  yield* Effect.promise(() =>
    build({ entryPoints: [join(output, "index.ts")], outfile: file, bundle: true, format: "esm", platform: "node" })
  )
  return yield* Effect.promise((): Promise<GeneratedClient> => import(pathToFileURL(file).href))
})

describe("the OpenAPI document", () => {
  it.live(
    "is valid, describes all routes, and makes a client that works",
    () =>
      Effect.gen(function* () {
        const { send, url } = yield* startApi()
        const document = (yield* send("/openapi.json")).json()
        yield* Effect.promise(() => SwaggerParser.validate(structuredClone(document)))
        assert.includeMembers(Object.keys(document.paths), [
          "/generate",
          "/jobs/{id}/events",
          "/v1/chat/completions",
          "/v1beta/models/{model}:generateContent",
          "/v1/messages"
        ])
        assert.sameMembers(Object.keys(document.components.securitySchemes), [
          "bearer",
          "apiKey",
          "googleKey",
          "googleQuery"
        ])

        const { ApiError, JobsService, OpenAPI } = yield* generated(document)
        OpenAPI.BASE = url
        const answer = yield* Effect.promise(() => JobsService.jobsSubmit({ requestBody: { input: "hello" } }))
        assert.isString(answer.text)
        const { job_id } = yield* Effect.promise(() => JobsService.jobsGenerate({ requestBody: { input: "hello" } }))
        const poll = Effect.promise(() => JobsService.jobsGetJob({ id: job_id }))
        const done = yield* Effect.repeat(poll, { until: ({ status }) => status === "Completed" })
        assert.strictEqual(done.job_id, job_id)
        assert.strictEqual(done.result?.text, answer.text)
        const page = yield* Effect.promise(() => JobsService.jobsListJobs({ status: "Completed", limit: 1 }))
        assert.deepStrictEqual(page.jobs, [done])
        const error = yield* Effect.promise(() =>
          JobsService.jobsGetJob({ id: "none" }).catch((error: unknown) => error)
        )
        assert(error instanceof ApiError)
        assert.strictEqual(error.body.code, "job_not_found")

        const silent = yield* startApi({ failures: "stall=1" })
        OpenAPI.BASE = silent.url
        const begun = yield* Effect.promise(() => JobsService.jobsGenerate({ requestBody: { input: "hello" } }))
        const cancelled = yield* Effect.promise(() => JobsService.jobsCancelJob({ id: begun.job_id }))
        assert.deepInclude(cancelled, { job_id: begun.job_id, status: "Cancelled" })
      }).pipe(Effect.scoped),
    60_000
  )
})
