/** Batch files as their providers' guides have them, and ways to read them. */
import { assert } from "@effect/vitest"
import type { Row } from "../../../src/domain/batch/Row.ts"
import { type RowOptions, RowReader } from "../../../src/domain/batch/RowReader.ts"

export const line = (text: string, index = 0) => ({ index, bytes: Buffer.from(text), oversized: false, ended: true })

/** Reads the lines of one input. */
export const readAll = (rows: ReadonlyArray<unknown>, options: Partial<RowOptions> = {}) => {
  const reader = new RowReader({ anyObject: false, ...options, format: options.format ?? "auto" })
  return rows.map((row, index) => reader.read(line(typeof row === "string" ? row : JSON.stringify(row), index)))
}

/** The row that a single line is. */
export const readOne = (row: unknown, options: Partial<RowOptions> = {}): Row => {
  const [read] = readAll([row], options)
  return read?._tag === "Row" ? read : assert.fail(read?.error ?? "nothing was read")
}

/** What is wrong with a single line. */
export const problemOf = (row: unknown, options: Partial<RowOptions> = {}): string => {
  const [read] = readAll([row], options)
  return read?._tag === "InvalidRow" ? read.error : assert.fail("it is a row")
}

export const openaiText = {
  custom_id: "request-1",
  method: "POST",
  url: "/v1/chat/completions",
  body: {
    model: "gpt-4o-mini",
    messages: [
      { role: "system", content: "You are a helpful assistant." },
      { role: "user", content: "Hello world!" }
    ],
    max_tokens: 1000
  }
}

const weather = {
  type: "function",
  function: {
    name: "get_current_weather",
    parameters: { type: "object", properties: { location: { type: "string" } }, required: ["location"] }
  }
}

export const openaiTools = {
  custom_id: "request-2",
  method: "POST",
  url: "/v1/chat/completions",
  body: {
    model: "gpt-4o",
    messages: [
      { role: "developer", content: "Use the tools." },
      { role: "user", content: "What is the weather in Boston?", name: "ada" },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "call_1", type: "function", function: { name: "get_current_weather", arguments: "{}" } }]
      },
      { role: "tool", tool_call_id: "call_1", content: "22 C" }
    ],
    temperature: 0.2,
    top_p: 0.9,
    max_completion_tokens: 300,
    tools: [weather],
    response_format: {
      type: "json_schema",
      json_schema: { name: "weather", strict: true, schema: { type: "object" } }
    },
    stream: false,
    seed: null
  }
}

export const openaiParts = {
  custom_id: "request-3",
  method: "POST",
  url: "/v1/chat/completions",
  body: {
    model: "gpt-4o",
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What is in these?" },
          { type: "image_url", image_url: { url: "https://images.example.com/a.png", detail: "low" } },
          { type: "image_url", image_url: { url: "data:image/PNG;base64,iVBORw0KGgo=" } },
          { type: "input_audio", input_audio: { data: "UklGRg==", format: "wav" } },
          { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0=" } },
          { type: "file", file: { file_id: "file-6F2ksmvXxt4VdoqmHRw6kL" } }
        ]
      }
    ]
  }
}

export const geminiText = {
  key: "request-1",
  request: {
    contents: [{ parts: [{ text: "Describe the process of photosynthesis." }] }],
    systemInstruction: { parts: [{ text: "You are a botanist." }, { text: "Be brief." }] },
    generationConfig: { temperature: 0.7, maxOutputTokens: 200 }
  }
}

export const geminiParts = {
  key: "request-2",
  request: {
    model: "models/gemini-2.5-flash",
    contents: [
      {
        role: "user",
        parts: [
          { text: "What is in these?" },
          { inlineData: { mimeType: "image/png", data: "iVBORw0KGgo=" } },
          { file_data: { mime_type: "application/pdf", file_uri: "gs://bucket/a.pdf" } }
        ]
      },
      {
        role: "model",
        parts: [
          { text: "Let me think.", thought: true },
          { text: "A cat." },
          { functionCall: { name: "look", args: {} } }
        ]
      },
      { role: "function", parts: [{ functionResponse: { name: "look", response: {} } }] },
      { role: "user", parts: [{ text: "Sure?" }] }
    ],
    system_instruction: { parts: [{ text: "Be brief." }] },
    generation_config: { temperature: 0, top_p: 0.95, response_mime_type: "application/json" },
    safetySettings: [{ category: "HARM_CATEGORY_HARASSMENT", threshold: "BLOCK_ONLY_HIGH" }]
  }
}
