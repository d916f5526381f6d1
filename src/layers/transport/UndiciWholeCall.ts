/** A request whose answer is read to its end before anyone sees it. */
import * as Exit from "effect/Exit"
import type { Dispatcher } from "undici"
import type { WireRequest, WireResponse } from "../../domain/providers/Wire.ts"
import type { OnEnd, SendListener, TransportError } from "../../services/Transport.ts"
import { Call, type Exchange } from "./UndiciCall.ts"

export class WholeCall extends Call {
  private readonly onEnd: OnEnd
  private readonly chunks: Array<Buffer> = []
  private isGivenUp = false

  constructor(exchange: Exchange, request: WireRequest, onEnd: OnEnd, listener: SendListener | undefined) {
    super(exchange, request, listener)
    this.onEnd = onEnd
  }

  /** Aborts it for its caller, who is not called back any more: not even with an answer that is whole already. */
  giveUp(): void {
    this.isGivenUp = true
    this.abort()
  }

  override onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.chunks.push(chunk)
    this.startIdle()
  }

  override onResponseEnd(): void {
    if (this.isSettled) return
    const { status, headers, chunks } = this
    // Decoded as a whole: a chunk may end within a character.
    const body = (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString("utf8")
    this.complete()
    this.end(Exit.succeed({ status, headers, body }))
  }

  protected override onFailed(error: TransportError): void {
    this.end(Exit.fail(error))
  }

  private end(exit: Exit.Exit<WireResponse, TransportError>): void {
    this.exchange.soon(() => {
      if (!this.isGivenUp) this.onEnd(exit)
    })
  }
}
