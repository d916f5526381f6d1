/** How the engine keeps the memory of a process that serves. */
import { setFlagsFromString } from "node:v8"

/**
 * Keeps V8 from making objects old at birth ("pretenuring").
 *
 * V8 notes where in the code objects are made that outlive a collection of the young, and from then on puts all that is
 * made there among the old. A crowd of streams that begin at once looks like that, though an event is gone after a moment;
 * V8 seldom changes its mind. The old then fill up with events that are dead, and with all that these refer to, up to the
 * next collection of everything.
 */
export const keepYoung = (): void => setFlagsFromString("--no-allocation-site-pretenuring")
