/** The package as it is published: what plain `node` and a project of somebody else's get. */
import { execFile } from "node:child_process"
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { blocks } from "../support/Markdown.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

const ROOT = fileURLToPath(new URL("../..", import.meta.url))
const NODE_MODULES = `${ROOT}node_modules`

const exec = (command: string, args: ReadonlyArray<string>, cwd: string) =>
  Effect.promise(() => promisify(execFile)(command, args, { cwd }))

const CONSUMER = `import { Effect } from "effect"
import { Dispatcher, type GenAiError } from "genai-dispatcher"

const program: Effect.Effect<number, string | Dispatcher.DispatchError | Dispatcher.InvalidOptions> = Effect.scoped(
  Effect.gen(function* () {
    const dispatcher = yield* Dispatcher.makePool({
      size: 2,
      handler: (text: string): Effect.Effect<number, string> => Effect.succeed(text.length)
    })
    return yield* dispatcher.submit("four")
  })
)
export const reasonOf = (error: GenAiError): string => error.reason._tag
console.log(await Effect.runPromise(program))
`

/** A module of an app or a library that exports what it was given, without writing its types down. */
const REEXPORTER = `import { Effect, Stream } from "effect"
import * as Library from "genai-dispatcher"
import * as Service from "genai-dispatcher/service"

export const sandbox = Library.SandboxServer.layer({ port: 0 })
export const control = Effect.map(Library.Sandbox, ({ control, stats }) => ({ control, stats }))
export const models = Library.DispatchedGenAiClient.layerConfig({ file: "dispatcher.yaml" })
export const loaded = Library.ConfigLoader.load({})
export const loadedServer = Library.ConfigLoader.loadServer({})
export const client = Effect.map(Library.GenAiClient, (client) => ({ ...client }))
export const events = Stream.unwrap(Effect.map(Library.GenAiClient, (client) => client.stream({ messages: [] })))
export const transport = Effect.map(Library.Transport, (transport) => ({ ...transport }))
export const runner = Effect.map(Library.BatchRunner, (runner) => ({ ...runner }))
export const runBatch = Effect.flatMap(Library.BatchRunner, ({ start }) => start({} as Library.BatchOptions))
export const jobs = Effect.map(Service.Jobs, (jobs) => ({ ...jobs }))
export const store = Effect.map(Service.JobStore, (store) => ({ ...store }))
export const telemetry = Effect.map(Service.ServerTelemetry, (telemetry) => ({ ...telemetry }))
export const service = Service.HttpServiceLayer.make
export const spent = ({ amounts, awaitSpent }: Library.Spending) => ({ amounts, awaitSpent })
export const figures = ({ latency, state }: Library.EndpointStats) => ({ latency, state })
export const settings = (config: Library.DispatcherConfig) => ({ ...config })
export const endpointSettings = (endpoint: Library.EndpointConfig) => ({ ...endpoint })
export const serverSettings = (config: Service.ServerConfig) => ({ ...config })
export const words = (event: Library.RawEvent) => event.family
export const turn = (message: Library.ChatMessage) => message.role
export const problems = (error: unknown) => (error instanceof Library.ConfigError ? error.problems : [])
export const reason = (error: unknown) => (error instanceof Library.SandboxError ? error.reason : undefined)
export const job = (job: Service.Job) => ({ ...job })
export const record = (record: Service.RequestRecord) => record.route
export const route = (routes: Service.ModelRoutes) => routes.resolve("a model")
`

/** What the library's snippets in the README are about. */
const SUBJECT = `declare class YourError { readonly _tag: "YourError" }
declare const request: Request
declare const process: { readonly stdout: { readonly write: (text: string) => void } }
declare const handler: (request: Request) => import("effect").Effect.Effect<Response, YourError>
`

const README = blocks(readFileSync(`${ROOT}README.md`, "utf8"), "ts").map((snippet) => `${SUBJECT}${snippet}`)

const snippetName = (_: string, index: number) => `snippet${index}.ts`

const TSCONFIG = {
  compilerOptions: {
    strict: true,
    module: "NodeNext",
    target: "ES2024",
    lib: ["ES2024", "DOM"],
    types: [],
    skipLibCheck: true,
    declaration: true,
    outDir: "out"
  },
  files: ["app.ts", "reexporter.ts", ...README.map(snippetName)]
}

describe("the published package", () => {
  it.live(
    "type checks and runs in a project that depends on it, exports what it gives and does as the README says, and its command starts",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        yield* exec("npx", ["tsc", "--project", "tsconfig.build.json", "--outDir", folder("dist")], ROOT)
        yield* exec("node", ["scripts/bundle.ts", folder("dist")], ROOT)

        mkdirSync(folder("app", "node_modules", "genai-dispatcher"), { recursive: true })
        const installed = (...names: ReadonlyArray<string>) => folder("app", "node_modules", ...names)
        symlinkSync(`${ROOT}package.json`, installed("genai-dispatcher", "package.json"))
        for (const name of ["effect", "@effect", "undici", "yaml"])
          symlinkSync(`${NODE_MODULES}/${name}`, installed(name))
        yield* exec("cp", ["-r", folder("dist"), installed("genai-dispatcher", "dist")], ROOT)
        writeFileSync(folder("app", "package.json"), `{"type":"module"}`)
        writeFileSync(folder("app", "tsconfig.json"), JSON.stringify(TSCONFIG))
        writeFileSync(folder("app", "app.ts"), CONSUMER)
        writeFileSync(folder("app", "reexporter.ts"), REEXPORTER)
        for (const [index, snippet] of README.entries())
          writeFileSync(folder("app", snippetName(snippet, index)), snippet)

        yield* exec(`${NODE_MODULES}/.bin/tsc`, ["--project", "."], folder("app"))
        const app = yield* exec(process.execPath, ["--preserve-symlinks", "out/app.js"], folder("app"))
        assert.strictEqual(app.stdout, "4\n")

        const main = installed("genai-dispatcher", "dist", "main.js")
        const help = yield* exec(process.execPath, ["--preserve-symlinks", main, "--help"], folder("app"))
        assert.include(help.stdout, "genai-dispatcher")
      }),
    120_000
  )
})
