/** Draws all results of `docs/benchmarks/*.json`, or of the folder that is named, as SVG: `node benchmarks/plot.ts [FOLDER]`. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { plot } from "./support/Plot.ts"
import type { Result } from "./support/Statistics.ts"

const target = fileURLToPath(new URL("../docs/benchmarks", import.meta.url))
const source = process.argv[2] ?? target

for (const file of readdirSync(source).filter((file) => file.endsWith(".json"))) {
  const result = JSON.parse(readFileSync(join(source, file), "utf8")) as Result
  writeFileSync(join(target, `${result.name}.svg`), plot(result))
  console.log(`docs/benchmarks/${result.name}.svg`)
}
