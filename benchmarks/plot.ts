/**
 * Draws all results of `docs/benchmarks` as SVG. With a folder, such as `benchmarks/results`, it takes the results over from
 * there before: `node benchmarks/plot.ts [FOLDER]`.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { plot } from "./support/Plot.ts"
import type { Result } from "./support/Statistics.ts"

const FOLDER = fileURLToPath(new URL("../docs/benchmarks", import.meta.url))
const source = process.argv[2]

const resultsIn = (folder: string) => readdirSync(folder).filter((file) => file.endsWith(".json"))

mkdirSync(FOLDER, { recursive: true })
if (source !== undefined) for (const file of resultsIn(source)) copyFileSync(join(source, file), join(FOLDER, file))
for (const file of resultsIn(FOLDER)) {
  const result: Result = JSON.parse(readFileSync(join(FOLDER, file), "utf8"))
  writeFileSync(join(FOLDER, `${result.name}.svg`), plot(result))
  console.log(`docs/benchmarks/${result.name}.svg`)
}
