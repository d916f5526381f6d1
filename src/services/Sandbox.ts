/** A made-up LLM endpoint for trying settings, demos, tests and benchmarks, without spending money. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { SandboxStats } from "../domain/sandbox/SandboxStats.ts"

/** A running sandbox server. It ends with the scope that it was made in. */
export class Sandbox extends Context.Service<
  Sandbox,
  {
    /** The base URL for clients, such as `http://127.0.0.1:8080/v1`. */
    readonly url: string
    /** The TCP port that it listens on. */
    readonly port: number
    /** What it received and did since the start or the last reset: a snapshot, as `GET /stats` gives it. */
    readonly stats: Effect.Effect<SandboxStats>
    /**
     * Starts the counts and the numbering of arrivals anew, so that the same fates come again. Rate limits keep what
     * they have counted, and requests that are under way end uncounted.
     */
    readonly reset: Effect.Effect<void>
  }
>()("genai-dispatcher/services/Sandbox") {}
