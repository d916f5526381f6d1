/** HTTP as providers and transports see it: plain data, no sockets. */

/** The four time limits of one call, in milliseconds. Each is a different fault (see `GenAiError.TimedOut`). */
export interface WireTimeouts {
  /** Until the connection stands, TLS included. */
  readonly connectMs: number
  /** From the request being sent to the whole head of the answer: its status and headers. */
  readonly firstByteMs: number
  /** Between the head and the first chunk of the answer's body, and between two chunks. */
  readonly idleMs: number
  /** The whole call. */
  readonly totalMs: number
}

/** One HTTP request. */
export interface WireRequest {
  readonly method: "POST" | "GET"
  /** Scheme, host and port, such as `https://llm.example.com`. */
  readonly origin: string
  /** Path and query, starting with `/`. */
  readonly path: string
  /**
   * Names and values in turn: `[name, value, name, value, ...]`. May hold credentials: never log it. Never changed: a transport
   * may keep what it made of the list, for the next request that has the same one.
   */
  readonly headers: ReadonlyArray<string>
  readonly body: string
  readonly timeouts: WireTimeouts
}

/** One HTTP answer, read to its end. */
export interface WireResponse {
  readonly status: number
  /** Header names in lower case; a repeated header keeps its last value, unless the HTTP client joins them. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}
