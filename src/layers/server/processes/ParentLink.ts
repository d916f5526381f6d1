/** The parent, as a process that serves sees it. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { ProcessFigures } from "../../../domain/telemetry/ProcessFigures.ts"
import type { AskForRequest } from "../Auth.ts"
import { ADMITTED, type Begin, type ChildMessage, isParentMessage, type ParentMessage } from "./Messages.ts"

/** A request of an API key that waits for the parent's word. */
interface Waiting {
  readonly key: string
  readonly done: (retryAfterMs: number | undefined) => void
}

export class ParentLink {
  readonly begin = Deferred.makeUnsafe<Begin>()
  /** The time that what runs may take. */
  readonly drain = Deferred.makeUnsafe<number>()
  readonly interrupted = Deferred.makeUnsafe<void>()
  /** The figures of this process. */
  own: ((isScrape: boolean) => Effect.Effect<ProcessFigures>) | undefined

  private readonly channel: (message: ChildMessage, sent?: () => void) => void
  private asking: Array<Waiting> = []
  private readonly asked = new Map<number, ReadonlyArray<Waiting>>()
  private readonly gathering = new Map<number, (figures: ReadonlyArray<ProcessFigures>) => void>()
  private lastId = 0

  /** A process without a parent dies: it was started by nobody who could want it. */
  constructor() {
    if (process.send === undefined) {
      throw new Error("This command is for genai-dispatcher itself: it starts it when it needs it.")
    }
    const send = process.send.bind(process)
    // A parent that is gone is noticed by the end of the channel.
    this.channel = (message, sent) => void send(message, undefined, undefined, () => sent?.())
    process.on("message", (message) => {
      if (isParentMessage(message)) this.take(message)
    })
    this.send({ _tag: "Hello" })
  }

  send(message: ChildMessage): void {
    this.channel(message)
  }

  /** Sends the last message, and waits until it has left this process. */
  last(message: ChildMessage): Effect.Effect<void> {
    return Effect.callback((resume) => this.channel(message, () => resume(Effect.void)))
  }

  /** Requests that come in one turn of the event loop are asked for together. */
  readonly askForRequest: AskForRequest = (key, done) => {
    this.asking.push({ key, done })
    if (this.asking.length > 1) return
    setImmediate(() => {
      const id = ++this.lastId
      this.asked.set(id, this.asking)
      this.send({ _tag: "Admit", id, keys: this.asking.map((waiting) => waiting.key) })
      this.asking = []
    })
  }

  /** The figures of all processes. */
  all(isScrape: boolean): Effect.Effect<ReadonlyArray<ProcessFigures>> {
    return Effect.callback((resume) => {
      const id = ++this.lastId
      this.gathering.set(id, (figures) => resume(Effect.succeed(figures)))
      this.send({ _tag: "Gather", id, isScrape })
      return Effect.sync(() => this.gathering.delete(id))
    })
  }

  private take(message: ParentMessage): void {
    switch (message._tag) {
      case "Begin":
        Deferred.doneUnsafe(this.begin, Exit.succeed(message))
        return
      case "Drain":
        Deferred.doneUnsafe(this.drain, Exit.succeed(message.graceMs))
        return
      case "Interrupt":
        Deferred.doneUnsafe(this.interrupted, Exit.void)
        return
      case "Gathered":
        this.gathering.get(message.id)?.(message.figures)
        this.gathering.delete(message.id)
        return
      case "Admitted": {
        const waiting = this.asked.get(message.id) ?? []
        this.asked.delete(message.id)
        waiting.forEach(({ done }, index) => {
          const answer = message.answers[index]
          done(answer === ADMITTED ? undefined : answer)
        })
        return
      }
      case "Ask":
        if (this.own !== undefined) {
          const { id, isScrape } = message
          Effect.runFork(Effect.map(this.own(isScrape), (figures) => this.send({ _tag: "Figures", id, figures })))
        }
    }
  }
}
