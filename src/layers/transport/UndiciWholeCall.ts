/** A request whose answer is read to its end before anyone sees it. */
import * as Effect from "effect/Effect"
import type { Dispatcher } from "undici"
import type { WireRequest, WireResponse } from "../../domain/providers/Wire.ts"
import type { TransportError } from "../../services/Transport.ts"
import { Call, type Exchange } from "./UndiciCall.ts"

export class WholeCall extends Call {
  private readonly resume: (result: Effect.Effect<WireResponse, TransportError>) => void
  private readonly chunks: Array<Buffer> = []

  constructor(
    exchange: Exchange,
    request: WireRequest,
    resume: (result: Effect.Effect<WireResponse, TransportError>) => void
  ) {
    super(exchange, request)
    this.resume = resume
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
    this.wake(Effect.succeed({ status, headers, body }))
  }

  protected override onFailed(error: TransportError): void {
    this.wake(Effect.fail(error))
  }

  private wake(result: Effect.Effect<WireResponse, TransportError>): void {
    this.exchange.soon(() => this.resume(result))
  }
}
