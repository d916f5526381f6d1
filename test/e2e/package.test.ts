/** The package as it is published: what plain `node` and a project of somebody else's get. */
import { execFile } from "node:child_process"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryFolder } from "../support/Cli.ts"

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

const TSCONFIG = {
  compilerOptions: {
    strict: true,
    module: "NodeNext",
    target: "ES2024",
    lib: ["ES2024", "DOM"],
    types: [],
    skipLibCheck: true,
    outDir: "out"
  },
  files: ["app.ts"]
}

describe("the published package", () => {
  it.live(
    "type checks and runs in a project that depends on it, and its command starts",
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
