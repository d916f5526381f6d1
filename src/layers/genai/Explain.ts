/** What callers are told when there is no answer. */
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import type { DispatchError, DispatchErrorReason } from "../../domain/dispatch/DispatchError.ts"
import { DeadlineExceeded, type GenAiError, Rejected } from "../../domain/genai/GenAiError.ts"
import type { AttemptFailed, Call } from "./Attempt.ts"

/** How a call has ended for its caller, given how its attempts did, or the deadline's end of them. */
export const settled = <A>(
  call: Call,
  exit: Exit.Exit<A, AttemptFailed | DispatchError>,
  isLate: boolean
): Exit.Exit<A, GenAiError> => {
  if (Exit.isSuccess(exit)) return Exit.succeed(exit.value)
  if (isLate && Exit.hasInterrupts(exit)) return Exit.fail(tooLate(call))
  if (call.lost !== undefined && Exit.hasInterrupts(exit)) return Exit.fail(explain(call, call.lost))
  return Exit.mapError(exit, (error) => explain(call, error))
}

/** The last attempt failed, or there was none. */
export const explain = (call: Call, error: AttemptFailed | DispatchError): GenAiError => {
  if (error._tag === "DispatchError") return undispatched(call, error.reason)
  const tries = call.attempts > 1 ? `, ${call.attempts} attempts` : ""
  return call.error(
    error.reason,
    `${error.message} (endpoint ${JSON.stringify(error.endpoint)}${tries})`,
    error.endpoint
  )
}

const undispatched = (call: Call, reason: DispatchErrorReason): GenAiError => {
  switch (reason._tag) {
    case "QueueFull":
    case "Draining":
      return rejected(call, reason._tag)
    case "NoWorker":
      return rejected(call, "NoEndpoint")
    case "DeadlineExceeded":
      return tooLate(call)
  }
}

/** The client does not take the request. */
export const rejected = (call: Call, cause: Rejected["cause"]): GenAiError =>
  call.error(new Rejected({ cause }), REJECTIONS[cause], undefined)

const REJECTIONS: Readonly<Record<Rejected["cause"], string>> = {
  Draining: "the client is shutting down and takes no new requests",
  QueueFull: "every queue is full",
  BudgetSpent: "the client's budget is spent",
  NoEndpoint: "no endpoint is left that this request may use",
  TooLarge: "the request may take more tokens than this process may send"
}

/** The call's deadline has passed. */
export const tooLate = (call: Call): GenAiError => {
  const last = call.lastFailure
  return call.error(
    new DeadlineExceeded({ deadlineMs: call.deadlineMs }),
    `no answer within ${Duration.format(Duration.millis(call.deadlineMs))}, after ${call.attempts} attempt${call.attempts === 1 ? "" : "s"}` +
      (last === undefined ? "" : `; the last failed at endpoint ${JSON.stringify(last.endpoint)}: ${last.message}`),
    last?.endpoint
  )
}
