/** How a dispatcher chooses among its workers; `Selection.ts` holds the algorithms. */
import * as Schema from "effect/Schema"

/**
 * - `least-loaded`: the lowest (in flight + queued) / weight, ties in weighted rotation;
 * - `weighted`: smooth weighted round robin, exact shares over any window;
 * - `weighted-random`: at random, by weight;
 * - `p2c-ewma`: of two at random the one with the lower product of load and recent latency, relative to weight.
 */
export const Policy = Schema.Literals(["least-loaded", "weighted", "weighted-random", "p2c-ewma"])
export type Policy = typeof Policy.Type

/** What to do with a session whose worker is full or not available: wait for it, or move the session elsewhere. */
export const OnUnavailable = Schema.Literals(["wait", "spill"])
export type OnUnavailable = typeof OnUnavailable.Type
