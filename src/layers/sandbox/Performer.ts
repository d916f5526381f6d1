/** Gives a call that was admitted and understood what the seed has in store for it. */
import type * as Clock from "effect/Clock"
import { deltasOf, makeAnswer, type SandboxAnswer, type SandboxCall } from "../../domain/sandbox/Answer.ts"
import type { Dialect, Refusal, ReplyIdentity } from "../../domain/sandbox/Dialect.ts"
import { type FaultAtOnce, isAtOnce } from "../../domain/sandbox/FailureMix.ts"
import type { Fate } from "../../domain/sandbox/Fate.ts"
import type { SandboxOptions } from "../../domain/sandbox/SandboxOptions.ts"
import { scriptOf } from "../../domain/sandbox/StreamScript.ts"
import { type Exchange, firstHalf } from "./Exchange.ts"

/** A call on its way to its answer. */
export interface Performance {
  readonly exchange: Exchange
  readonly dialect: Dialect
  readonly call: SandboxCall
  readonly fate: Fate
  readonly identity: ReplyIdentity
}

const HTML_HEADERS: ReadonlyArray<string> = ["content-type", "text/html"]
const BAD_GATEWAY_PAGE =
  "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n" +
  "<hr><center>sandbox</center>\r\n</body>\r\n</html>\r\n"

export function makePerformer(options: SandboxOptions, clock: Clock.Clock): (performance: Performance) => void {
  const perform = (performance: Performance): void => {
    const { exchange, dialect, call, fate } = performance
    const { fault, latencyMs } = fate
    if (fault !== undefined && isAtOnce(fault)) {
      exchange.recorder.fault(fault)
      const refusal = refusalFor(fault)
      if (refusal !== undefined) exchange.reply(dialect.refuse(refusal))
    } else if (fault === "500" || fault === "html") {
      exchange.after(latencyMs, () => {
        exchange.recorder.fault(fault)
        if (fault === "500") exchange.reply(dialect.refuse({ kind: "server-error" }))
        else exchange.reply({ status: 502, headers: HTML_HEADERS, body: BAD_GATEWAY_PAGE })
      })
    } else if (call.stream) {
      streamAnswer(performance)
    } else {
      exchange.after(latencyMs, () => answerWhole(performance))
    }
  }

  const answerWhole = ({ exchange, dialect, call, fate: { fault, latencyMs }, identity }: Performance): void => {
    if (fault !== undefined) exchange.recorder.fault(fault)
    if (fault === "reset") {
      exchange.reset()
    } else if (fault === "stream-error") {
      exchange.reply(dialect.refuse({ kind: "overloaded", status: 503 }))
    } else {
      const answer = makeAnswer(options.seed, call, options.answerTokens)
      const reply = dialect.answer(call, answer, identity)
      if (fault === "stall-body") exchange.replyHalf(reply)
      else if (fault === "truncated") exchange.reply({ ...reply, body: firstHalf(reply.body) })
      else if (fault === "empty") exchange.reply({ ...reply, body: "" })
      else exchange.reply(reply, dialect.timingHeaders(latencyMs), () => countTokens(exchange, answer))
    }
  }

  const streamAnswer = ({ exchange, dialect, call, fate: { fault, latencyMs }, identity }: Performance): void => {
    const answer = makeAnswer(options.seed, call, options.answerTokens)
    const deltas = deltasOf(answer.text, options.streamChunks)
    const stream = dialect.stream(call, answer, deltas, identity)
    const script = scriptOf(stream, dialect.streamError, fault, latencyMs, options.chunkDelay)
    exchange.play(script, stream.headers, {
      onBegin: () => {
        if (fault !== undefined) exchange.recorder.fault(fault)
      },
      onSent: () => {
        if (fault === undefined) countTokens(exchange, answer)
      }
    })
  }

  const countTokens = (exchange: Exchange, answer: SandboxAnswer): void =>
    exchange.recorder.tokens(answer, Number(clock.monotonicTimeNanosUnsafe()) / 1e6, clock.currentTimeMillisUnsafe())

  /** `undefined` for a stall. */
  const refusalFor = (fault: FaultAtOnce): Refusal | undefined => {
    switch (fault) {
      case "429":
        return { kind: "rate-limited", retryAfterMs: undefined, verdict: undefined }
      case "429-retry-after":
        return { kind: "rate-limited", retryAfterMs: options.retryAfter, verdict: undefined }
      case "503":
        return { kind: "overloaded", status: 503 }
      case "529":
        return { kind: "overloaded", status: 529 }
      case "stall":
        return undefined
    }
  }

  return perform
}
