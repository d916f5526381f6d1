/** The processes that send the rows of a run, together: who has which rows, and what becomes of those of one that dies. */

import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import { NO_BYTES } from "../../../domain/batch/Bytes.ts"
import { ChunkOrder, type ResultBytes } from "../../../domain/batch/ChunkOrder.ts"
import { type ChunkLines, RowChunk } from "../../../domain/batch/RowChunk.ts"
import type { Tally } from "../../../domain/batch/Tally.ts"
import { Unsaid } from "../../../domain/batch/Unsaid.ts"
import type { DispatcherConfig } from "../../../domain/config/DispatcherConfig.ts"
import * as SentConfig from "../../../domain/config/SentConfig.ts"
import type { EndpointStats } from "../../../domain/genai/EndpointStats.ts"
import { merge, unused } from "../../../domain/genai/MergeStats.ts"
import type { BatchOptions } from "../../../services/BatchRunner.ts"
import type { Amounts, Spending } from "../../genai/Spending.ts"
import type { ResultWriters } from "../ResultFiles.ts"
import { Allowances } from "./Allowances.ts"
import { Child, type ChildEvents } from "./Child.ts"
import { neediest } from "./Dealer.ts"
import type { ChildMessage, ParentMessage, Results } from "./Messages.ts"

export interface ChildrenOptions {
  /** The script of this program. */
  readonly script: string
  /** The configuration of each process. */
  readonly shares: ReadonlyArray<DispatcherConfig>
  readonly batch: BatchOptions
  /** The input, open, when the processes can read it by themselves: then they may be given only where lines stand. */
  readonly input: number | undefined
  readonly spending: Spending
  readonly tally: Tally
  readonly writers: ResultWriters
  readonly clock: Clock.Clock
  /** Something has changed that may be waited for. */
  readonly onChange: () => void
}

/** With the system's error code, when it gave one. */
const unreadable = (code: string | undefined): string => {
  const why = code === undefined ? "it has become shorter" : code
  return `The input could not be read as it was when the run began to read it, by one of its processes (${why}): the rest is left to a later run.`
}

/** Processes that are started in place of those that died, over a whole run: rows may be what they die of. */
const REPLACEMENTS = 3

export class Children {
  /** Whether no more rows are given out: told to, or because no process is left. */
  isStopping = false

  private readonly options: ChildrenOptions
  private readonly events: ChildEvents
  /** Those that have ended, too: what they did counts. */
  private readonly all: Array<Child> = []
  /** Chunks that were taken from one that died, to be given to others before anything else; in the order of the input. */
  private returned: Array<RowChunk> = []
  private readonly allowances: Allowances<Child>
  private readonly order: ChunkOrder | undefined
  private readonly unsaid = new Unsaid([])
  private readonly nobody = Latch.makeUnsafe(false)
  private readonly deaths: Array<string> = []
  private isLost = false
  /** What there is to say once the input could not be read. */
  private unreadable: string | undefined
  private replacements = 0
  private chunks = 0
  /** Rows that were given to processes, or wait to be given again, and are not settled. */
  private open = 0
  private isExhausted = false

  constructor(options: ChildrenOptions) {
    this.options = options
    this.allowances = new Allowances(options.spending.limits, options.shares.length)
    this.order = options.batch.ordered ? new ChunkOrder((results) => this.write(results)) : undefined
    this.events = { onMessage: (child, message) => this.hear(child, message), onEnd: (child) => this.ended(child) }
    for (const share of options.shares.keys()) this.start(share, false)
  }

  /** Who should get the next rows of the input: `undefined` while all have enough. */
  get next(): Child | undefined {
    return this.isStopping || this.returned.length > 0 ? undefined : neediest(this.ready)
  }

  /** Bytes of the rows that are not settled, and of the results that wait for others; about. */
  get bytes(): number {
    return this.all.reduce((sum, child) => sum + child.hand.bytes, this.order?.bytes ?? 0)
  }

  /** Gives the next rows of the input to a process. */
  give(child: Child, lines: ChunkLines): void {
    const chunk = new RowChunk(this.chunks++, lines)
    this.order?.open(chunk.sequence, chunk.rows)
    this.open += chunk.rows
    this.hand(child, chunk)
    this.count()
  }

  /** The endpoints' figures over all processes, as they last told them. */
  get endpoints(): ReadonlyArray<EndpointStats> {
    return this.options.shares[0]!.endpoints.map((_, index) => merge(this.all.map((child) => child.endpoints[index]!)))
  }

  get warnings(): ReadonlyArray<string> {
    const { deaths } = this
    const warnings = [...this.unsaid.warnings, ...(this.unreadable === undefined ? [] : [this.unreadable])]
    if (deaths.length === 0) return warnings
    const [who, rows] = deaths.length === 1 ? ["1 process", "its"] : [`${deaths.length} processes`, "their"]
    const outcome = this.isLost ? "no process is left" : `${rows} unanswered rows were done by others`
    const unknown = `what was sent since ${rows} last report is missing in the endpoints' figures`
    return [...warnings, `${who} ended unexpectedly (${deaths.join(", ")}): ${outcome}; ${unknown}.`]
  }

  /** Gives out no more rows, and what waits to be given again is left to a later run. */
  stop(): void {
    this.isStopping = true
    this.drop(this.returned.splice(0))
    this.count()
  }

  /** Tells something to all that are there. */
  tell(message: ParentMessage): void {
    for (const child of this.living) child.send(message)
  }

  /** Waits until all have ended. */
  get awaitEnd(): Effect.Effect<void> {
    return this.nobody.await
  }

  /** Tells all to end in some way, and waits until they have; those that are not quick enough are killed. */
  end(message: ParentMessage, patience: "1 second" | "10 seconds"): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.isStopping = true
      this.tell(message)
      // Not a timeout: this may run where nothing can be interrupted.
      const killer = yield* Effect.forkDetach(Effect.delay(this.kill, patience))
      yield* this.nobody.await
      yield* Fiber.interrupt(killer)
    })
  }

  get kill(): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const child of this.living) child.kill()
    })
  }

  private get living(): ReadonlyArray<Child> {
    return this.all.filter((child) => child.state !== "ended")
  }

  private get ready(): ReadonlyArray<Child> {
    return this.all.filter((child) => child.state === "ready" && !child.isComplete)
  }

  /** `limitsUsed`: one that has died may have used what this one may send. */
  private start(share: number, limitsUsed: boolean): void {
    const { batch, input, script, shares } = this.options
    const config = { ...shares[share]!, limitsUsed }
    this.nobody.closeUnsafe()
    const child = new Child({ script, share, endpoints: config.endpoints.map(unused), input, events: this.events })
    this.all.push(child)
    const { anyObject, maxOutstanding, ordered, outputFormat } = batch
    child.send({
      _tag: "Start",
      config: SentConfig.encode(config),
      options: { anyObject, ordered, outputFormat, maxOutstanding: Math.ceil(maxOutstanding / shares.length) },
      upTo: this.allowances.of(child).upTo,
      hasSpool: child.hasSpool
    })
  }

  private hear(child: Child, message: ChildMessage): void {
    switch (message._tag) {
      case "Ready":
        child.state = "ready"
        break
      case "Taken":
        child.hand.take(message.rows, this.options.clock.currentTimeMillisUnsafe())
        break
      case "Spent":
        this.spend(child, message.amounts)
        break
      case "Results":
        this.settle(child, message)
        break
      case "Stats":
        child.endpoints = message.endpoints
        this.unsaid.add(message.unsaid)
        return
      case "Unreadable":
        // It ends with what it has begun; the rest is left, since others would hardly read more.
        this.unreadable ??= unreadable(message.code)
        this.stop()
        break
      case "Ended":
        child.isComplete = true
    }
    this.giveReturned()
    this.options.onChange()
  }

  private settle(child: Child, { errors, numbers, save, tally }: Results): void {
    let sequence = 0
    for (const number of numbers) sequence = child.hand.settle(number).sequence
    this.open -= numbers.length
    this.options.tally.add(child.tally, tally)
    child.tally = tally
    // In order, the rows are all of one chunk.
    if (this.order === undefined) this.write({ save, errors })
    else this.order.put(sequence, numbers.length, { save, errors })
    this.count()
    if (child.hand.isEmpty) this.release(child)
  }

  private spend(child: Child, amounts: Amounts): void {
    this.options.spending.addAmounts(this.allowances.spend(child, amounts))
    const { spent } = this.options.spending
    if (spent === undefined) this.allow()
    else if (!this.isExhausted) {
      this.isExhausted = true
      this.stop()
      this.tell({ _tag: "Exhaust", spent })
    }
  }

  /** It has nothing under way: what it may still spend is for the others, until it is given rows again. */
  private release(child: Child): void {
    this.allowances.release(child)
    this.allow()
  }

  /** Lets those that have rows spend more, where they need it and there is more. */
  private allow(): void {
    if (!this.allowances.isLimited) return
    for (const child of this.living) {
      if (!child.hand.isEmpty && this.allowances.raise(child)) this.tellAllowance(child)
    }
  }

  private tellAllowance(child: Child): void {
    child.send({ _tag: "Allow", upTo: this.allowances.of(child).upTo })
  }

  private ended(child: Child): void {
    const rests = child.hand.giveUp()
    this.release(child)
    if (!child.isComplete && !this.isStopping) {
      this.deaths.push(child.death)
      if (this.replacements < REPLACEMENTS) {
        this.replacements += 1
        this.start(child.share, true)
      }
    }
    if (this.living.length === 0) {
      this.isLost = !this.isStopping
      this.isStopping = true
      this.nobody.openUnsafe()
    }
    this.returned = [...rests, ...this.returned].sort((a, b) => a.sequence - b.sequence)
    if (this.isStopping) this.drop(this.returned.splice(0))
    else this.giveReturned()
    this.count()
    this.options.onChange()
  }

  private giveReturned(): void {
    while (this.returned.length > 0) {
      const child = neediest(this.ready)
      if (child === undefined) return
      this.hand(child, this.returned.shift()!)
    }
  }

  private hand(child: Child, chunk: RowChunk): void {
    const wasIdle = child.hand.isEmpty
    child.hand.give(chunk)
    if (wasIdle && this.allowances.isLimited) {
      // Told in any case, and first: what it was allowed before it was idle may have gone to others.
      this.allowances.raise(child)
      this.tellAllowance(child)
    }
    child.send({ _tag: "Rows", lines: chunk.all })
  }

  private drop(chunks: ReadonlyArray<RowChunk>): void {
    for (const { left, sequence } of chunks) {
      this.open -= left
      this.options.tally.dropped += left
      this.order?.put(sequence, left, NO_LINES)
    }
  }

  private write({ errors, save }: ResultBytes): void {
    this.options.writers.save.appendLines(save)
    this.options.writers.errors.appendLines(errors)
  }

  private count(): void {
    this.options.tally.outstanding = this.open + (this.order?.held ?? 0)
  }
}

const NO_LINES: ResultBytes = { save: NO_BYTES, errors: NO_BYTES }
