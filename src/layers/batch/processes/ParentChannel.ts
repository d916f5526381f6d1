/** The parent, as a child sees it. */
import { Socket, type SocketConstructorOpts } from "node:net"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Frames from "./Frames.ts"
import { type ChildMessage, FROM_PARENT, frameOf, type ParentMessage, parentMessageOf, TO_PARENT } from "./Messages.ts"

export class ParentChannel extends Context.Service<
  ParentChannel,
  {
    /** Has the listener called with each message, from the first one on. One listener. */
    readonly listen: (listener: (message: ParentMessage) => void) => void
    readonly send: (message: ChildMessage) => void
    /** Sends the last message, and waits until it has left this process. */
    readonly end: (message: ChildMessage) => Effect.Effect<void>
  }
>()("genai-dispatcher/layers/batch/processes/ParentChannel") {}

/** The pipes that the parent has opened. A process without them dies: it was started by nobody who could want it. */
export const layer: Layer.Layer<ParentChannel> = Layer.effect(
  ParentChannel,
  Effect.sync(() => {
    const from = open({ fd: FROM_PARENT, readable: true, writable: false })
    const to = open({ fd: TO_PARENT, readable: false, writable: true })
    // Nobody is left to take the results: what is in flight is cut off, and is done by a later run.
    for (const pipe of [from, to]) {
      pipe.on("error", () => process.exit(1))
      pipe.once("close", () => process.exit(1))
    }
    return ParentChannel.of({
      listen: (listener) =>
        Frames.read(from, (frame) => {
          const message = parentMessageOf(frame)
          if (message !== undefined) listener(message)
        }),
      send: (message) => Frames.write(to, frameOf(message)),
      end: (message) => Effect.callback<void>((resume) => Frames.write(to, frameOf(message), () => resume(Effect.void)))
    })
  })
)

const open = (options: SocketConstructorOpts): Socket => {
  try {
    return new Socket(options)
  } catch (cause) {
    throw new Error("This command is for genai-dispatcher itself: it starts it when it needs it.", { cause })
  }
}
