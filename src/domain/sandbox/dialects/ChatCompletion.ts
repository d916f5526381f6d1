/**
 * The answers of OpenAI's chat completions, whole and streamed, which Azure shares
 * (platform.openai.com/docs/api-reference/chat).
 *
 * Written by hand, which costs far less than JSON.stringify of the whole: it is done for every request.
 */
import { deltasOf, type SandboxAnswer, type SandboxCall } from "../Answer.ts"
import type { ReplyIdentity } from "../Dialect.ts"

export const JSON_HEADERS: ReadonlyArray<string> = ["content-type", "application/json"]
export const EVENT_HEADERS: ReadonlyArray<string> = [
  "content-type",
  "text/event-stream; charset=utf-8",
  "cache-control",
  "no-cache"
]

/** The body of a whole answer. */
export const completion = (call: SandboxCall, answer: SandboxAnswer, identity: ReplyIdentity): string =>
  `{"id":"chatcmpl-${identity.id}","object":"chat.completion","created":${identity.created},` +
  `"model":${JSON.stringify(call.model)},"choices":[{"index":0,"message":{"role":"assistant",` +
  `${spoken(call, answer, identity)},"refusal":null},"logprobs":null,` +
  `"finish_reason":"${finishReason(call, answer)}"}],"usage":${usage(answer)},"system_fingerprint":"fp_sandbox"}`

const spoken = ({ tool }: SandboxCall, answer: SandboxAnswer, { id }: ReplyIdentity): string =>
  tool === undefined
    ? `"content":${JSON.stringify(answer.text)}`
    : `"content":null,"tool_calls":[{"id":"call_${id}","type":"function","function":${JSON.stringify(tool)}}]`

const finishReason = ({ tool }: SandboxCall, answer: SandboxAnswer): string =>
  tool === undefined ? (answer.cut ? "length" : "stop") : "tool_calls"

/** What each event of a stream adds to the message. A call of a tool has its name first, then its arguments in pieces. */
const deltaTexts = ({ tool }: SandboxCall, deltas: ReadonlyArray<string>, { id }: ReplyIdentity) => {
  if (tool === undefined) return deltas.map((delta) => `{"content":${JSON.stringify(delta)}}`)
  const first = { index: 0, id: `call_${id}`, type: "function", function: { name: tool.name, arguments: "" } }
  const pieces = deltasOf(tool.arguments, 2).map((piece) => ({ index: 0, function: { arguments: piece } }))
  return [first, ...pieces].map((piece) => JSON.stringify({ tool_calls: [piece] }))
}

/** The events of a streamed answer: the first tells the role, the last why it ended and, if asked for, its tokens. */
export function completionFrames(
  call: SandboxCall,
  answer: SandboxAnswer,
  deltas: ReadonlyArray<string>,
  identity: ReplyIdentity
): ReadonlyArray<string> {
  const start =
    `data: {"id":"chatcmpl-${identity.id}","object":"chat.completion.chunk","created":${identity.created},` +
    `"model":${JSON.stringify(call.model)},"system_fingerprint":"fp_sandbox","choices":[`
  // Every event of a stream that is to tell its tokens has the field; only the last one has a value for it.
  const end = call.streamUsage ? `],"usage":null}\n\n` : "]}\n\n"
  const event = (delta: string, finish = "null"): string =>
    `${start}{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${finish}}${end}`
  const opening = event(`{"role":"assistant","content":"","refusal":null}`)
  const tokens = call.streamUsage ? `${start}],"usage":${usage(answer)}}\n\n` : ""
  return [
    ...deltaTexts(call, deltas, identity).map((delta, index) => (index === 0 ? opening : "") + event(delta)),
    `${event("{}", `"${finishReason(call, answer)}"`)}${tokens}data: [DONE]\n\n`
  ]
}

const usage = ({ promptTokens, completionTokens }: SandboxAnswer): string =>
  `{"prompt_tokens":${promptTokens},"completion_tokens":${completionTokens},` +
  `"total_tokens":${promptTokens + completionTokens}}`

/** The credential after `Bearer` in the Authorization header. */
export function bearerOf(headers: Readonly<Record<string, unknown>>): string | undefined {
  const { authorization } = headers
  return typeof authorization === "string" && /^bearer /i.test(authorization)
    ? authorization.slice(7).trim()
    : undefined
}

/** The value of a header that comes once. */
export function headerOf(headers: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = headers[name]
  return typeof value === "string" ? value : undefined
}

/** `retry-after` in whole seconds, rounded up, and the exact `retry-after-ms` where that says more. */
export function retryHeaders(retryAfterMs: number | undefined): ReadonlyArray<string> {
  if (retryAfterMs === undefined) return []
  const millis = Math.ceil(retryAfterMs)
  const whole = ["retry-after", String(Math.ceil(millis / 1000))]
  return millis % 1000 === 0 ? whole : [...whole, "retry-after-ms", String(millis)]
}
