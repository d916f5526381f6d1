/** A process that serves, as its parent sees it. */
import cluster, { type Worker } from "node:cluster"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { ProcessFigures } from "../../../domain/telemetry/ProcessFigures.ts"
import { howEnded, whenGone } from "../../processes/ProcessEnd.ts"
import { type Begin, type ChildMessage, isChildMessage, type ParentMessage } from "./Messages.ts"

/** A process that does not tell its figures within this time is not waited for. */
const ASK_MS = 1_000

export interface ServiceProcessOptions {
  readonly begin: Begin
  readonly onMessage: (child: ServiceProcess, message: ChildMessage) => void
}

export class ServiceProcess {
  readonly index: number
  /** Where it listens; fails with why it does not, when it has ended. */
  readonly listening = Deferred.makeUnsafe<{ readonly url: string; readonly port: number }, string>()
  /** Why it has ended, once nothing more comes from it. */
  readonly ended = Deferred.makeUnsafe<string>()
  /** The last that were told. */
  figures: ProcessFigures | undefined
  /** Whether it listens. */
  isServing = false
  hasEnded = false

  private readonly worker: Worker
  private readonly options: ServiceProcessOptions
  private readonly asked = new Map<number, () => void>()
  private lastId = 0
  private failure: string | undefined

  /** Starts it. */
  constructor(options: ServiceProcessOptions) {
    this.index = options.begin.index
    this.options = options
    this.worker = cluster.fork()
    this.worker.on("message", (message) => {
      if (isChildMessage(message)) this.take(message)
    })
    whenGone(this.worker.process, () => this.end())
    this.worker.on("error", (error) => {
      if (this.worker.process.pid === undefined) this.end(error.message)
    })
  }

  get pid(): number | undefined {
    return this.worker.process.pid
  }

  /** What it does not get because it is gone, it need not get. */
  send(message: ParentMessage): void {
    if (this.worker.isConnected()) this.worker.process.send(message, undefined, undefined, () => {})
  }

  kill(): void {
    if (!this.hasEnded) this.worker.process.kill("SIGKILL")
  }

  /** Has it tell its figures; those that it told before stay when it does not answer. */
  ask(isScrape: boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const id = ++this.lastId
      this.asked.set(id, () => resume(Effect.void))
      this.send({ _tag: "Ask", id, isScrape })
      return Effect.sync(() => this.asked.delete(id))
    }).pipe(Effect.timeoutOption(ASK_MS), Effect.asVoid)
  }

  private take(message: ChildMessage): void {
    switch (message._tag) {
      case "Hello":
        this.send(this.options.begin)
        return
      case "Listening":
        this.isServing = true
        Deferred.doneUnsafe(this.listening, Exit.succeed(message))
        return
      case "Failed":
        this.failure = message.message
        return
      case "Drained":
        this.figures = message.figures
        return
      case "Figures":
        this.figures = message.figures
        this.asked.get(message.id)?.()
        this.asked.delete(message.id)
        return
      default:
        this.options.onMessage(this, message)
    }
  }

  private end(why = this.failure ?? howEnded(this.worker.process)): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.isServing = false
    for (const done of [...this.asked.values()]) done()
    Deferred.doneUnsafe(this.listening, Exit.fail(why))
    Deferred.doneUnsafe(this.ended, Exit.succeed(why))
  }
}
