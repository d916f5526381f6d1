/** What a child does: it sends the rows that its parent gives, over its share of the limits, and hands back their lines. */

import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import { NO_BYTES } from "../../../domain/batch/Bytes.ts"
import { Journal } from "../../../domain/batch/Journal.ts"
import { RowReader } from "../../../domain/batch/RowReader.ts"
import { Tally } from "../../../domain/batch/Tally.ts"
import { Unsaid } from "../../../domain/batch/Unsaid.ts"
import * as SentConfig from "../../../domain/config/SentConfig.ts"
import { countsOf } from "../../../domain/genai/MergeStats.ts"
import * as DispatchedGenAiClient from "../../genai/DispatchedGenAiClient.ts"
import { Spending } from "../../genai/Spending.ts"
import * as BatchPipeline from "../BatchPipeline.ts"
import * as BatchRuns from "../BatchRuns.ts"
import { Gate } from "../Gate.ts"
import * as ChildReader from "./ChildReader.ts"
import { INPUT, type ParentMessage, SPOOL, type Start } from "./Messages.ts"
import { ParentChannel } from "./ParentChannel.ts"
import * as ResultCollector from "./ResultCollector.ts"
import { SpentReports } from "./SpentReports.ts"
import { readAt, SpoolWriter } from "./Spool.ts"

/** How often the parent is told the endpoints' figures. */
export const STATS_EVERY = "250 millis"

/** Runs from the first message to the last row. */
export const childRun = Effect.gen(function* () {
  const parent = yield* ParentChannel
  const started = yield* Deferred.make<Start>()
  const early: Array<ParentMessage> = []
  let onMessage = (message: ParentMessage): void => {
    if (message._tag === "Start") Deferred.doneUnsafe(started, Effect.succeed(message))
    else early.push(message)
  }
  parent.listen((message) => onMessage(message))
  const { config: sent, hasSpool, options, upTo } = yield* Deferred.await(started)

  const config = SentConfig.decode(sent)
  // Without a limit of its own: the parent knows what the others have spent.
  const spending = new Spending({})
  const reports = new SpentReports(upTo, (amounts) => parent.send({ _tag: "Spent", amounts }))
  if (Math.min(upTo.cost, upTo.tokens) < Number.POSITIVE_INFINITY) {
    spending.allow(upTo)
    spending.onSpent = (amounts) => reports.spent(amounts)
  }
  const client = yield* DispatchedGenAiClient.make(config, { spending })
  const rows = new RowReader(BatchRuns.rowOptions(options))
  const tally = new Tally({ saved: 0, failed: 0, invalid: 0 })
  const unsaid = new Unsaid(config.endpoints.map(({ kind, name }) => [name, kind]))
  const reader = ChildReader.make({
    onFormat: (format) => {
      rows.format = format
    },
    onTaken: (taken) => parent.send({ _tag: "Taken", rows: taken }),
    onUnreadable: (code) => parent.send({ _tag: "Unreadable", code }),
    readAt: (bytes, position) => readAt(INPUT, bytes, position)
  })
  const spool = hasSpool ? new SpoolWriter(SPOOL) : undefined
  const collector = yield* ResultCollector.make({
    isBoundary: (number) => reader.isLast(number) && options.ordered,
    send: ({ errors, numbers, save }) => {
      // First: once it knows these rows to be the last, the parent gives to others what this process has not spent.
      reports.flush()
      const at = spool?.write([save, errors])
      const results = { _tag: "Results", numbers, tally: tally.counts } as const
      if (at === undefined) parent.send({ ...results, save, errors, spooled: undefined })
      else {
        const spooled = { at, lengths: [save.length, errors.length] } as const
        parent.send({ ...results, save: NO_BYTES, errors: NO_BYTES, spooled })
      }
    }
  })
  const pipeline = yield* BatchPipeline.make({
    client,
    gate: new Gate(),
    // Never told to anybody: these rows were verified by the parent.
    input: { path: "", kind: "pipe" },
    journal: new Journal(),
    onSettled: collector.settled,
    options: { ...options, limit: undefined },
    reader,
    rows,
    tally,
    unsaid,
    verified: true,
    writers: collector
  })
  const main = yield* Effect.forkScoped(pipeline.run)
  const drain = (grace: Duration.Input) => client.drain({ timeout: grace, queued: "discard" })
  const services = yield* Effect.context<never>()
  const fork = Effect.runForkWith(services)

  onMessage = (message) => {
    switch (message._tag) {
      case "Start":
        break
      case "Rows":
        reader.push(message.lines)
        break
      case "End":
        reader.end()
        break
      case "Freed":
        spool?.free(message.upTo)
        break
      case "Allow":
        reports.allow(message.upTo)
        spending.allow(message.upTo)
        break
      case "Exhaust":
        // First, so that rows which are refused from now on are left to a later run.
        Effect.runSyncWith(services)(pipeline.stop)
        spending.exhaust(message.spent)
        break
      case "Stop":
        fork(BatchRuns.windDown({ ...pipeline, drain }, message.graceMs, Fiber.await(main)))
        break
      case "Abandon":
        fork(Effect.andThen(pipeline.stop, pipeline.abandon))
    }
  }
  const tellStats = Effect.map(client.stats, (endpoints) => {
    // Not all that is spent belongs to results, and some of them wait long for others.
    reports.flush()
    parent.send({ _tag: "Stats", endpoints: endpoints.map(countsOf), unsaid: unsaid.collected })
  })
  yield* Effect.forkScoped(Effect.repeat(tellStats, Schedule.spaced(STATS_EVERY)))
  parent.send({ _tag: "Ready" })
  for (const message of early) onMessage(message)

  yield* Fiber.join(main)
  collector.flush()
  yield* tellStats
  yield* parent.end({ _tag: "Ended" })
}).pipe(Effect.scoped)
