/** Checks what a run promises: each row of the input is exactly one whole line in exactly one of the two files. */
import { readFileSync } from "node:fs"
import { assert } from "@effect/vitest"

export interface Account {
  readonly saved: ReadonlyArray<Record<string, unknown>>
  readonly failed: ReadonlyArray<Record<string, unknown>>
}

/** The lines of a JSONL file, each parsed on its own; fails on a line that is not whole. */
export const readLines = (path: string): ReadonlyArray<Record<string, unknown>> => {
  const content = readFileSync(path, "utf8")
  if (content === "") return []
  assert.isTrue(content.endsWith("\n"), `the last line of ${path} is whole`)
  return content
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line))
}

/** Rows `{"input": "row <index>"}`, so that a result can be held against its row. */
export const rows = (count: number): string =>
  Array.from({ length: count }, (_, index) => `{"input":"row ${index}"}\n`).join("")

/** Holds the two files against an input of `count` rows made by `rows`. */
export const assertExactlyOnce = (count: number, savedPath: string, failedPath: string): Account => {
  const saved = readLines(savedPath)
  const failed = readLines(failedPath)
  const seen = new Uint8Array(count)
  for (const line of [...saved, ...failed]) {
    const index = Number(line["index"])
    assert.isTrue(index >= 0 && index < count, `index ${index} is a row's`)
    assert.strictEqual(seen[index], 0, `row ${index} stands in the files once`)
    seen[index] = 1
    assert.strictEqual(line["input"], `row ${index}`, "a result stands with its own row")
  }
  assert.strictEqual(saved.length + failed.length, count, "no row is missing")
  return { saved, failed }
}
