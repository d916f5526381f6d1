/**
 * Puts the command line tool into few files: loading hundreds of small ones takes longer than running them. The library
 * (`dist/index.js`) stays as it is compiled, so that an app has Effect only once.
 *
 * `node scripts/bundle.ts [folder]`, where the compiled library is: `dist` unless said otherwise.
 */
import { readFileSync } from "node:fs"
import { build } from "esbuild"

const [, , outdir = "dist"] = process.argv

/** Packages in CommonJS want a `require`, which modules do not have. */
const banner = `import { createRequire as createRequireOfBundle } from "node:module"
const require = createRequireOfBundle(import.meta.url)`

await build({
  entryPoints: ["src/main.ts"],
  outdir,
  // What a command loads only when it is used stays a file of its own.
  splitting: true,
  chunkNames: "bundle/[name]-[hash]",
  bundle: true,
  minify: true,
  sourcemap: "linked",
  sourcesContent: false,
  legalComments: "linked",
  format: "esm",
  platform: "node",
  target: `node${minimumNode()}`,
  banner: { js: banner },
  logLevel: "warning"
})

function minimumNode(): string {
  const { engines } = JSON.parse(readFileSync("package.json", "utf8")) as { engines: { node: string } }
  return engines.node.replace(">=", "")
}
