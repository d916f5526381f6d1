/** A made-up LLM endpoint for trying settings, demos, tests and benchmarks, without spending money. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { SandboxControlInput } from "../domain/sandbox/Control.ts"
import type { SandboxError } from "../domain/sandbox/SandboxError.ts"
import type { SandboxStats } from "../domain/sandbox/SandboxStats.ts"

/** A running sandbox server. It ends with the scope that it was made in. */
export class Sandbox extends Context.Service<
  Sandbox,
  {
    /** The base URL for clients of the OpenAI format, such as `http://127.0.0.1:8080/v1`. */
    readonly url: string
    /** Where all formats are, such as `http://127.0.0.1:8080`; the paths are those of the real providers. */
    readonly origin: string
    /** The TCP port that it listens on. */
    readonly port: number
    /** What it received and did since the start or the last reset: a snapshot, as `GET /stats` gives it. */
    readonly stats: Effect.Effect<SandboxStats>
    /**
     * Starts the counts and the numbering of arrivals anew, so that the same fates come again. Rate limits keep what
     * they have counted, and requests that are under way end uncounted.
     */
    readonly reset: Effect.Effect<void>
    /**
     * Takes the sandbox down in some way, or up again, as `POST /control` does: from the next request on when it has
     * returned. Counts and rate limits stay. Fails with `InvalidOption` when the order is wrong.
     */
    readonly control: (order: SandboxControlInput) => Effect.Effect<void, SandboxError>
  }
>()("genai-dispatcher/services/Sandbox") {}
