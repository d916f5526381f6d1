/** The process of one run of a case: `node case-process.ts FILE CASE`; the options come and the measurement goes by IPC. */
import type { Benchmark, CaseOptions } from "./Benchmark.ts"

const [file, name] = process.argv.slice(2)

process.once("message", async (options: CaseOptions<unknown>) => {
  const { benchmark } = (await import(file ?? "")) as { readonly benchmark: Benchmark }
  const one = benchmark.cases.find((one) => one.name === name)
  if (one === undefined) throw new Error(`There is no case ${name}`)
  const measurement = await one.run(options)
  process.send?.(measurement, () => process.exit(0))
})
