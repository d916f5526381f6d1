/** Why a dispatcher did not run a job to its end. A handler's own error is never one of these. */
import * as Schema from "effect/Schema"

/** Every worker's queue is full, and the dispatcher was made with `onFull: "fail"`. */
export class QueueFull extends Schema.TaggedClass<QueueFull>()("QueueFull", {}) {}

/** The deadline of the submit passed, queued or running. */
export class DeadlineExceeded extends Schema.TaggedClass<DeadlineExceeded>()("DeadlineExceeded", {
  /** The deadline, in milliseconds from the submit. */
  deadlineMs: Schema.Finite
}) {}

/** The dispatcher takes no new jobs (`drain`, or its scope has closed), or dropped this one from its queue. */
export class Draining extends Schema.TaggedClass<Draining>()("Draining", {}) {}

/** The submit excluded every worker. */
export class NoWorker extends Schema.TaggedClass<NoWorker>()("NoWorker", {}) {}

/** What happened; `_tag` says which. */
export const DispatchErrorReason = Schema.Union([QueueFull, DeadlineExceeded, Draining, NoWorker])
export type DispatchErrorReason = typeof DispatchErrorReason.Type

/** A job that was not run, or not to its end. */
export class DispatchError extends Schema.TaggedError<DispatchError>()("DispatchError", {
  reason: DispatchErrorReason
}) {
  override get message(): string {
    return explain(this.reason)
  }
}

const explain = (reason: DispatchErrorReason): string => {
  switch (reason._tag) {
    case "QueueFull":
      return 'every worker\'s queue is full: try again later, or let submits wait with onFull: "wait"'
    case "DeadlineExceeded":
      return `no answer within the deadline of ${reason.deadlineMs} ms`
    case "Draining":
      return "the dispatcher is draining and takes no new jobs"
    case "NoWorker":
      return "the submit excluded every worker"
  }
}

/** Options that no dispatcher can be made of. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  /** Each names the option, the value it has and what it must be. */
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `invalid dispatcher options: ${this.problems.join("; ")}`
  }
}
