/** The main program of a process that serves: ends when its parent says so, or with it. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Result from "effect/Result"
import * as ProcessShares from "../../../domain/config/ProcessShares.ts"
import * as SentConfig from "../../../domain/config/SentConfig.ts"
import { endpointsOf } from "../../../domain/telemetry/ProcessFigures.ts"
import { HttpService } from "../../../services/HttpService.ts"
import * as Assembly from "../Assembly.ts"
import type { Begin } from "./Messages.ts"
import { ParentLink } from "./ParentLink.ts"
import * as SentServer from "./SentServer.ts"

export const childMain = (): void => {
  // A terminal, or a service manager, signals all processes: what to do about it is the parent's to say.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {})
  // What is in flight is cut off: its clients notice, and jobs are run again by the next service that opens the store.
  process.once("disconnect", () => process.exit(1))
  Effect.runCallback(Effect.provide(serveForParent, environment), {
    onExit: (exit) => {
      if (Exit.isFailure(exit)) process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
      process.exit(Exit.isSuccess(exit) ? 0 : 1)
    }
  })
}

const serveForParent = Effect.gen(function* () {
  const link = new ParentLink()
  const layers = layersOf(yield* Deferred.await(link.begin), link)
  const work = Effect.provide(serve(link), layers).pipe(
    // The parent tells it, once for all processes.
    Effect.catch(({ message }) => link.last({ _tag: "Failed", message }))
  )
  yield* Effect.raceFirst(work, Deferred.await(link.interrupted))
})

const serve = Effect.fnUntraced(function* (link: ParentLink) {
  const service = yield* HttpService
  link.send({ _tag: "Listening", url: service.url, port: service.port })
  yield* service.drain(yield* Deferred.await(link.drain))
  if (link.own !== undefined) yield* link.last({ _tag: "Drained", figures: yield* link.own(false) })
})

const layersOf = ({ config, index, processes, server }: Begin, link: ParentLink) => {
  const whole = SentConfig.decode(config)
  const shares = Result.getOrThrowWith(
    ProcessShares.split(whole, processes),
    () => new Error("the parent sent a configuration that cannot be split")
  )
  const settled = SentServer.decode(server)
  const { jobs } = settled
  return Assembly.layer({
    config: shares[index] ?? whole,
    endpoints: whole.endpoints,
    server: {
      ...settled,
      jobs: {
        ...jobs,
        // The same for one that takes its place: so it knows at once which jobs were cut off.
        instance: `${jobs.instance}-${index}`,
        concurrency: ProcessShares.part(jobs.concurrency, index, processes)
      }
    },
    isStoreShared: true,
    peers: {
      process: String(index),
      publish: (own) => {
        link.own = own
      },
      scrape: link.all(true),
      askForRequest: link.askForRequest,
      stats: Effect.map(link.all(false), endpointsOf)
    }
  })
}

/** Logs go to standard error, as those of the parent. */
const environment = Layer.merge(NodeServices.layer, Layer.succeed(Logger.LogToStderr, true))
