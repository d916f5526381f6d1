/**
 * `HttpService` over several processes of this machine.
 *
 * This process accepts the connections and gives them to the others in turn, which costs nothing once a connection is there
 * (`node:cluster`; sharing the socket, or one socket each with SO_REUSEPORT, spread 64 connections over two processes as
 * unevenly as 43 to 22). It counts the requests of API keys, puts the figures together, and replaces processes that die.
 */

import cluster from "node:cluster"
import { createServer } from "node:net"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { DispatcherConfig } from "../../../domain/config/DispatcherConfig.ts"
import * as SentConfig from "../../../domain/config/SentConfig.ts"
import type { ServerConfig } from "../../../domain/config/ServerConfig.ts"
import type { EndpointStats } from "../../../domain/genai/EndpointStats.ts"
import { KeyRates } from "../../../domain/server/KeyRates.ts"
import * as ProcessFigures from "../../../domain/telemetry/ProcessFigures.ts"
import { HttpService, HttpServiceError } from "../../../services/HttpService.ts"
import { ADMITTED, type Begin, CHILD_ARGUMENT, type ChildMessage } from "./Messages.ts"
import * as SentServer from "./SentServer.ts"
import { ServiceProcess } from "./ServiceProcess.ts"

export interface ServiceProcessesOptions {
  /** The script that processes are started with: that of this program. */
  readonly script: string
  readonly processes: number
  /** Of the whole service; it must be one that `ProcessShares` can split. */
  readonly config: DispatcherConfig
  readonly server: ServerConfig
  /** Tells people what happens to processes. */
  readonly say: (sentence: string) => Effect.Effect<void>
}

export interface ServiceProcesses {
  readonly service: HttpService["Service"]
  /** The endpoints over all processes, those that have ended included. */
  readonly stats: Effect.Effect<ReadonlyArray<EndpointStats>>
}

/** A process that dies is replaced at once; one that dies soon after its start later and later. */
const FIRST_DELAY_MS = 50
const MOST_DELAY_MS = 10_000
const SOON_MS = 30_000

/** Figures are looked at so often, so that few are lost with a process that is killed. */
const PULSE = "5 seconds"

/** How long processes have to end, beyond what they were given. */
const LATE_MS = 5_000
const AT_ONCE_MS = 2_000

/** How long those take to end that are killed. */
const KILL_MS = 5_000

/** Starts the processes, and keeps so many of them until the scope closes; what is left then is cut off. */
export const make = Effect.fnUntraced(function* (
  options: ServiceProcessesOptions
): Effect.fn.Return<ServiceProcesses, HttpServiceError, Scope.Scope> {
  const { config, processes, say } = options
  const context = yield* Effect.context<never>()
  const clock = yield* Clock.Clock
  const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const server = { ...options.server, port: options.server.port || (yield* freePort(options.server.host)) }
  const begin = (index: number, limitsUsed: boolean): Begin => ({
    _tag: "Begin",
    index,
    processes,
    config: SentConfig.encode({ ...config, limitsUsed }),
    server: SentServer.encode(server)
  })
  cluster.schedulingPolicy = cluster.SCHED_RR
  cluster.setupPrimary({
    exec: options.script,
    args: [CHILD_ARGUMENT],
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })

  const rates = new KeyRates()
  const limits = new Map(server.apiKeys.map(({ name, requestsPerMinute }) => [name, requestsPerMinute]))
  const children: Array<ServiceProcess> = []
  /** What processes that have ended have counted, by their place. */
  const past = new Map<number, ProcessFigures.ProcessFigures>()
  let isStarted = false
  let isStopping = false

  const admit = (key: string): number => {
    const limit = limits.get(key)
    return limit === undefined ? ADMITTED : (rates.take(key, limit, now()) ?? ADMITTED)
  }

  const all = Effect.fnUntraced(function* (isScrape: boolean) {
    const serving = children.filter(({ isServing }) => isServing)
    yield* Effect.forEach(serving, (child) => child.ask(isScrape), { concurrency: "unbounded", discard: true })
    return [...children.flatMap(({ figures }) => figures ?? []), ...past.values()]
  })

  const onMessage = (child: ServiceProcess, message: ChildMessage): void => {
    if (message._tag === "Admit") {
      child.send({ _tag: "Admitted", id: message.id, answers: message.keys.map(admit) })
    } else if (message._tag === "Gather") {
      const answer = Effect.map(all(message.isScrape), (figures) =>
        child.send({ _tag: "Gathered", id: message.id, figures })
      )
      Effect.runForkWith(context)(answer)
    }
  }

  /** `limitsUsed`: one that has ended may have used what this one may send. */
  const launch = (index: number, limitsUsed: boolean): ServiceProcess => {
    const child = new ServiceProcess({ begin: begin(index, limitsUsed), onMessage })
    children[index] = child
    return child
  }

  /** Its counts stay, in one entry for each place, however often processes are replaced. */
  const bury = ({ figures, index }: ServiceProcess): void => {
    if (figures === undefined) return
    const before = past.get(index)
    const last = ProcessFigures.ended(figures)
    past.set(index, before === undefined ? last : ProcessFigures.ended(ProcessFigures.add(before, last)))
  }

  const keep = Effect.fnUntraced(function* (first: ServiceProcess) {
    let child = first
    let delayMs = FIRST_DELAY_MS
    for (;;) {
      const startedAt = now()
      const why = yield* Deferred.await(child.ended)
      bury(child)
      child.figures = undefined
      if (isStopping || !isStarted) return
      delayMs = now() - startedAt > SOON_MS ? FIRST_DELAY_MS : Math.min(2 * delayMs, MOST_DELAY_MS)
      yield* say(
        `Process ${child.index + 1} of ${processes} (pid ${child.pid}) has ended (${why}): another one takes its place; ` +
          "requests that it had are cut off, its jobs are run again."
      )
      yield* Effect.sleep(delayMs)
      if (isStopping) return
      child = launch(child.index, true)
    }
  })

  /** Waits for all to end, and makes those end that do not. */
  const end = Effect.fnUntraced(function* (patienceMs: number) {
    const ended = Effect.forEach(children, (child) => Deferred.await(child.ended), { discard: true })
    const inTime = yield* Effect.timeoutOption(ended, patienceMs)
    if (inTime._tag === "Some") return
    for (const child of children) child.kill()
    // What cannot be killed now, such as one that hangs in the kernel, ends without its parent.
    yield* Effect.timeoutOption(ended, KILL_MS)
  })

  yield* Effect.addFinalizer(() => {
    isStopping = true
    for (const child of children) child.send({ _tag: "Interrupt" })
    return end(AT_ONCE_MS)
  })
  for (let index = 0; index < processes; index++) yield* Effect.forkScoped(keep(launch(index, false)))
  const [first] = yield* Effect.forEach(children, ({ listening }) => Deferred.await(listening), {
    concurrency: "unbounded"
  }).pipe(Effect.mapError((message) => new HttpServiceError({ reason: "ListenFailed", message })))
  if (first === undefined) return yield* Effect.die("no process was asked for")
  isStarted = true
  yield* Effect.forkScoped(Effect.repeat(all(false), Schedule.spaced(PULSE)))

  const service = HttpService.of({
    url: first.url,
    host: server.host,
    port: first.port,
    inflight: Effect.map(all(false), (figures) => figures.reduce((sum, { inflight }) => sum + inflight, 0)),
    drain: Effect.fn("HttpService.drain")(function* (graceMs) {
      isStopping = true
      for (const child of children) {
        if (child.isServing) child.send({ _tag: "Drain", graceMs })
        else child.kill()
      }
      yield* end(graceMs + LATE_MS)
    })
  })
  return { service, stats: Effect.map(all(false), ProcessFigures.endpointsOf) }
})

/** A port of the system's choice: all processes must listen on the same one, also those that are started later. */
const freePort = (host: string): Effect.Effect<number, HttpServiceError> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", (error) =>
      resume(Effect.fail(new HttpServiceError({ reason: "ListenFailed", message: `Cannot listen: ${error.message}` })))
    )
    server.listen({ host, port: 0 }, () => {
      const address = server.address()
      server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
    })
  })
