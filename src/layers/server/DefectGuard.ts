/** Keeps a defect in one request from being one of the service. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Reply } from "../../domain/dialects/Dialect.ts"
import type { Problem } from "../../domain/server/Problem.ts"
import { defectOf, internal } from "./CommonProblems.ts"
import { whereOf } from "./Defects.ts"
import type { Exchange } from "./Exchange.ts"

export class DefectGuard {
  private readonly context: Context.Context<never>

  constructor(context: Context.Context<never>) {
    this.context = context
  }

  /** For work that has nobody above it: what it throws would end the process. `reply` says a problem in the client's format. */
  run(exchange: Exchange, reply: (problem: Problem) => Reply, work: () => void): void {
    try {
      work()
    } catch (defect) {
      this.log(exchange, whereOf(defect))
      this.lost(exchange, reply)
    }
  }

  /** Tells those who run the service where a request broke. */
  log(exchange: Exchange, where: string): void {
    Effect.runForkWith(this.context)(Effect.logError(defectOf(exchange.record.id, where)))
  }

  /** Says that the service failed, or, when that cannot be said, breaks the connection. */
  private lost(exchange: Exchange, reply: (problem: Problem) => Reply): void {
    try {
      const problem = internal(exchange.record.id)
      exchange.record.problem = problem.kind
      if (exchange.hasBegun) exchange.request.socket.destroy()
      else exchange.fail(reply(problem))
    } catch (defect) {
      this.log(exchange, whereOf(defect))
      exchange.request.socket.destroy()
    }
  }
}
