import { assert, describe, it } from "@effect/vitest"
import { render, span } from "../../../src/domain/report/Line.ts"
import { shellCommand } from "../../../src/domain/report/ShellCommand.ts"
import { table } from "../../../src/domain/report/Table.ts"
import * as Text from "../../../src/domain/report/Text.ts"
import { plainText } from "./Fixtures.ts"

describe("Text", () => {
  it("cuts at cells, not at characters, and never through one", () => {
    assert.deepStrictEqual(
      [
        Text.truncate("prompts", 7),
        Text.truncate("prompts", 6),
        Text.truncate("日本語", 5),
        Text.truncate("日本語", 4)
      ],
      ["prompts", "promp…", "日本…", "日…"]
    )
    assert.strictEqual(Text.truncate("prompts", 0), "")
  })

  it("puts text on one line and takes out what could move the cursor", () => {
    assert.strictEqual(Text.oneLine("a\nb\t\x1b[31mred\u2028c\r"), "a b [31mred c")
  })

  it("pads by cells", () => {
    assert.deepStrictEqual([Text.padEnd("日", 4), Text.padStart("日", 4)], ["日  ", "  日"])
  })

  it("wraps between words and gives a word that is too long a line of its own", () => {
    assert.deepStrictEqual(Text.wrap("one two  three\nantidisestablishment x", 9), [
      "one two",
      "three",
      "antidisestablishment",
      "x"
    ])
  })
})

describe("Line", () => {
  const line = [span("ok ", "dim"), span("1,200", "green"), span(" rows")]

  it("colours the parts", () => {
    assert.strictEqual(render(line, { colors: true }), "\x1b[2mok \x1b[22m\x1b[32m1,200\x1b[39m rows")
  })

  it("cuts what is visible and keeps escape sequences whole", () => {
    assert.strictEqual(render(line, { colors: true, width: 6 }), "\x1b[2mok \x1b[22m\x1b[32m1,…\x1b[39m")
    assert.strictEqual(render(line, { colors: false, width: 8 }), "ok 1,200")
  })
})

describe("Table", () => {
  it("aligns names left and figures right, as wide as the widest cell", () => {
    const lines = table(
      [
        { title: "endpoint", align: "left" },
        { title: "ok", align: "right" }
      ],
      [
        [span("a"), span("1,200")],
        [span("日本語-endpoint"), span("7")]
      ]
    )
    assert.deepStrictEqual(plainText(lines), [
      "endpoint            ok",
      "a                1,200",
      "日本語-endpoint      7"
    ])
  })
})

describe("shellCommand", () => {
  it("quotes only what a shell would change", () => {
    assert.strictEqual(
      shellCommand([
        "genai-dispatcher",
        "run",
        "my prompts.jsonl",
        "--endpoint",
        "a=http://x/v1,weight=3",
        "it's",
        "$HOME",
        ""
      ]),
      "genai-dispatcher run 'my prompts.jsonl' --endpoint a=http://x/v1,weight=3 'it'\\''s' '$HOME' ''"
    )
  })
})
