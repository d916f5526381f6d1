/** The three stock SDKs with one face, so that one table can be run with each of them. Only base URL and key are given. */
import Anthropic from "@anthropic-ai/sdk"
import { ApiError, GoogleGenAI } from "@google/genai"
import OpenAI from "openai"

export interface SdkCall {
  readonly model: string
  readonly prompt?: string
  /** Given as a text too, to be wrong. */
  readonly temperature?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** By the SDK itself. Default: 0. */
  readonly maxRetries?: number
}

export interface Said {
  readonly text: string
  /** In the SDK's own word. */
  readonly finish: string | undefined
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
}

/** An error of the SDK, by what its users look at. */
export interface Told {
  /** The name of the SDK's class. */
  readonly class: string
  readonly status: number | undefined
  readonly message: string
  /** Where the field that is wrong stands: in a member of its own, or in the message. */
  readonly field: string
  /** What a client reads the wait from. */
  readonly retryAfterMs: number | undefined
}

export interface SdkClient {
  readonly answer: (call: SdkCall) => Promise<Said>
  /** `onText` is called with each piece of the text, as it comes. */
  readonly stream: (call: SdkCall, onText?: (text: string) => void) => Promise<Said>
  readonly models: () => Promise<ReadonlyArray<string>>
  readonly model: (name: string) => Promise<string>
}

export interface Sdk {
  readonly name: "openai" | "google" | "anthropic"
  readonly client: (url: string, key: string) => SdkClient
  /** What was thrown; `undefined` for what is no error of the SDK. */
  readonly told: (error: unknown) => Told | undefined
  /** The class of an error with a status. */
  readonly classOf: (status: number) => string
  /** Why an answer that is whole has stopped. */
  readonly stop: string
  /** The name of the class of what an abort throws. */
  readonly aborted: string
}

const PROMPT = "Why is the sky blue?"

const retryAfterOf = (headers: Headers | undefined): number | undefined => {
  const millis = headers?.get("retry-after-ms")
  const seconds = headers?.get("retry-after")
  return millis ? Number(millis) : seconds ? Number(seconds) * 1000 : undefined
}

const CLASSES: ReadonlyMap<number, string> = new Map([
  [400, "BadRequestError"],
  [401, "AuthenticationError"],
  [403, "PermissionDeniedError"],
  [404, "NotFoundError"],
  [422, "UnprocessableEntityError"],
  [429, "RateLimitError"]
])

const classOf = (status: number): string => CLASSES.get(status) ?? "InternalServerError"

/** For SDKs whose users tell apart what one of 504 means. */
const classOfTimeout = (status: number): string => (status === 504 ? "GatewayTimeoutError" : classOf(status))

export const openai: Sdk = {
  name: "openai",
  stop: "stop",
  aborted: "APIUserAbortError",
  classOf,
  client: (url, key) => {
    const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1` })
    const body = ({ model, prompt = PROMPT, temperature }: SdkCall) => ({
      model,
      messages: [{ role: "user" as const, content: prompt }],
      ...(temperature === undefined ? {} : { temperature: temperature as number })
    })
    const options = ({ headers, maxRetries = 0, signal }: SdkCall) => ({ headers, maxRetries, signal })
    return {
      answer: async (call) => {
        const { choices, usage } = await client.chat.completions.create(body(call), options(call))
        return {
          text: choices[0]?.message.content ?? "",
          finish: choices[0]?.finish_reason,
          inputTokens: usage?.prompt_tokens,
          outputTokens: usage?.completion_tokens
        }
      },
      stream: async (call, onText) => {
        const said = {
          text: "",
          finish: undefined as string | undefined,
          usage: undefined as OpenAI.CompletionUsage | undefined
        }
        const stream = await client.chat.completions.create(
          { ...body(call), stream: true, stream_options: { include_usage: true } },
          options(call)
        )
        for await (const { choices, usage } of stream) {
          const piece = choices[0]?.delta.content ?? ""
          said.text += piece
          said.finish = choices[0]?.finish_reason ?? said.finish
          said.usage = usage ?? said.usage
          if (piece !== "") onText?.(piece)
        }
        // The SDK ends the stream of an aborted call as if it were whole.
        call.signal?.throwIfAborted()
        const { finish, text, usage } = said
        return { text, finish, inputTokens: usage?.prompt_tokens, outputTokens: usage?.completion_tokens }
      },
      models: async () => (await client.models.list()).data.map(({ id }) => id),
      model: async (name) => (await client.models.retrieve(name)).id
    }
  },
  told: (error) =>
    error instanceof OpenAI.APIError
      ? {
          class: error.constructor.name,
          status: error.status,
          message: error.message,
          field: error.param ?? "",
          retryAfterMs: retryAfterOf(error.headers)
        }
      : undefined
}

export const anthropic: Sdk = {
  name: "anthropic",
  stop: "end_turn",
  aborted: "APIUserAbortError",
  classOf: classOfTimeout,
  client: (url, key) => {
    const client = new Anthropic({ apiKey: key, baseURL: url })
    const body = ({ model, prompt = PROMPT, temperature }: SdkCall) => ({
      model,
      max_tokens: 1000,
      messages: [{ role: "user" as const, content: prompt }],
      ...(temperature === undefined ? {} : { temperature: temperature as number })
    })
    const options = ({ headers, maxRetries = 0, signal }: SdkCall) => ({ headers, maxRetries, signal })
    return {
      answer: async (call) => {
        const { content, stop_reason: finish, usage } = await client.messages.create(body(call), options(call))
        return {
          text: content.map((block) => (block.type === "text" ? block.text : "")).join(""),
          finish: finish ?? undefined,
          inputTokens: usage.input_tokens,
          outputTokens: usage.output_tokens
        }
      },
      stream: async (call, onText) => {
        const stream = client.messages.stream(body(call), options(call))
        stream.on("text", (piece) => onText?.(piece))
        const { content, stop_reason: finish, usage } = await stream.finalMessage()
        return {
          text: content.map((block) => (block.type === "text" ? block.text : "")).join(""),
          finish: finish ?? undefined,
          inputTokens: usage.input_tokens,
          outputTokens: usage.output_tokens
        }
      },
      models: async () => (await client.models.list()).data.map(({ id }) => id),
      model: async (name) => (await client.models.retrieve(name)).id
    }
  },
  told: (error) =>
    error instanceof Anthropic.APIError
      ? {
          class: error.constructor.name,
          status: error.status,
          message: error.message,
          field: error.message,
          retryAfterMs: retryAfterOf(error.headers)
        }
      : undefined
}

export const google: Sdk = {
  name: "google",
  stop: "STOP",
  aborted: "DOMException",
  classOf: () => "ApiError",
  client: (url, key) => {
    const client = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } })
    const parameters = ({ headers, model, prompt = PROMPT, signal, temperature }: SdkCall) => ({
      model,
      contents: prompt,
      config: {
        ...(signal === undefined ? {} : { abortSignal: signal }),
        ...(headers === undefined ? {} : { httpOptions: { headers: { ...headers } } }),
        ...(temperature === undefined ? {} : { temperature: temperature as number })
      }
    })
    return {
      answer: async (call) => {
        const { candidates, text, usageMetadata } = await client.models.generateContent(parameters(call))
        return {
          text: text ?? "",
          finish: candidates?.[0]?.finishReason,
          inputTokens: usageMetadata?.promptTokenCount,
          outputTokens: usageMetadata?.candidatesTokenCount
        }
      },
      stream: async (call, onText) => {
        let said: Said = { text: "", finish: undefined, inputTokens: undefined, outputTokens: undefined }
        for await (const part of await client.models.generateContentStream(parameters(call))) {
          const piece = part.text ?? ""
          said = {
            text: said.text + piece,
            finish: part.candidates?.[0]?.finishReason ?? said.finish,
            inputTokens: part.usageMetadata?.promptTokenCount ?? said.inputTokens,
            outputTokens: part.usageMetadata?.candidatesTokenCount ?? said.outputTokens
          }
          if (piece !== "") onText?.(piece)
        }
        return said
      },
      models: async () => {
        const names: Array<string> = []
        for await (const { name } of await client.models.list()) names.push((name ?? "").replace(/^models\//, ""))
        return names
      },
      model: async (name) => ((await client.models.get({ model: name })).name ?? "").replace(/^models\//, "")
    }
  },
  told: (error) => {
    if (!(error instanceof ApiError)) return undefined
    const delay = /"retryDelay":"([\d.]+)s"/.exec(error.message)?.[1]
    return {
      class: "ApiError",
      status: error.status,
      message: error.message,
      field: error.message,
      retryAfterMs: delay === undefined ? undefined : Number(delay) * 1000
    }
  }
}

export const sdks: ReadonlyArray<Sdk> = [openai, google, anthropic]
