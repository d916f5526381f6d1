/** How a streamed answer goes out: which frames, when, and how it ends. Pure. */
import type { SandboxStream } from "./Dialect.ts"
import type { FaultName } from "./FailureMix.ts"

export interface StreamScript {
  readonly frames: ReadonlyArray<string>
  /** When the first frame is due, in milliseconds after the call. */
  readonly firstMs: number
  /** From each frame to the next, and from the last to a reset, in milliseconds. */
  readonly gapMs: number
  /** The answer ends, its connection is reset, or nothing more comes. */
  readonly ending: "end" | "reset" | "stall"
}

/**
 * - `truncated`: the first half of the frames, the last of them cut in the middle; as HTTP the answer is whole;
 * - `stall-body`, `reset`: the first half of the frames, and then nothing more or a TCP reset;
 * - `stream-error`: the first half of the frames, then the format's word for a failure;
 * - `empty`: no frame at all;
 * - otherwise all of them.
 *
 * Without `chunkDelayMs` the frames are spread evenly over the latency: the last comes when an answer in one piece would.
 * With it the first comes after the latency, and each later one so much after the one before.
 */
export function scriptOf(
  stream: SandboxStream,
  streamError: string,
  fault: FaultName | undefined,
  latencyMs: number,
  chunkDelayMs: number | undefined
): StreamScript {
  const gapMs = chunkDelayMs ?? latencyMs / stream.frames.length
  const times = { firstMs: chunkDelayMs === undefined ? gapMs : latencyMs, gapMs }
  const half = stream.frames.slice(0, Math.max(1, Math.floor(stream.frames.length / 2)))
  switch (fault) {
    case "truncated":
      return { ...times, frames: cutLast(half), ending: "end" }
    case "stall-body":
      return { ...times, frames: half, ending: "stall" }
    case "reset":
      return { ...times, frames: half, ending: "reset" }
    case "stream-error":
      return { ...times, frames: [...half, streamError], ending: "end" }
    case "empty":
      return { ...times, frames: [], ending: "end" }
    default:
      return { ...times, frames: stream.frames, ending: "end" }
  }
}

function cutLast(frames: ReadonlyArray<string>): ReadonlyArray<string> {
  const last = frames.at(-1) ?? ""
  return [...frames.slice(0, -1), last.slice(0, Math.ceil(last.length / 2))]
}
