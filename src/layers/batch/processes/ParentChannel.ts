/** The parent, as a child sees it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type ChildMessage, isParentMessage, type ParentMessage } from "./Messages.ts"

export class ParentChannel extends Context.Service<
  ParentChannel,
  {
    /** Has the listener called with each message, from the first one on. One listener. */
    readonly listen: (listener: (message: ParentMessage) => void) => void
    readonly send: (message: ChildMessage) => void
    /** Waits until all that was sent has left this process. */
    readonly flushed: Effect.Effect<void>
  }
>()("genai-dispatcher/layers/batch/processes/ParentChannel") {}

/** The channel that `fork` has opened. A process without one dies: it was started by nobody who could want it. */
export const layer: Layer.Layer<ParentChannel> = Layer.effect(
  ParentChannel,
  Effect.sync(() => {
    if (process.send === undefined)
      throw new Error("This command is for genai-dispatcher itself: it starts it when it needs it.")
    const send = process.send.bind(process)
    return ParentChannel.of({
      listen: (listener) => {
        process.on("message", (message) => {
          if (isParentMessage(message)) listener(message)
        })
      },
      // A parent that is gone is noticed by the end of the channel.
      send: (message) => void send(message, undefined, undefined, () => {}),
      flushed: Effect.callback<void>((resume) => {
        // Messages leave in their order.
        send({ _tag: "Flushed" }, undefined, undefined, () => resume(Effect.void))
      })
    })
  })
)
