/** A request whose answer is read to its end before anyone sees it. */
import * as Exit from "effect/Exit"
import type { WireRequest, WireResponse } from "../../domain/providers/Wire.ts"
import type { EndListener, SendListener, StartedRequest, TransportError } from "../../services/Transport.ts"
import { Call, type Shared } from "./Call.ts"

export class WholeCall extends Call implements StartedRequest {
  private readonly onEnd: EndListener
  private status = 0
  private headers: Readonly<Record<string, string>> = {}
  /** The body, when it came in one piece, as nearly all do; otherwise its pieces. */
  private body = ""
  private pieces: Array<Buffer> | undefined = undefined
  private isGivenUp = false

  constructor(shared: Shared, request: WireRequest, onEnd: EndListener, listener: SendListener | undefined) {
    super(shared, request, listener)
    this.onEnd = onEnd
  }

  /** Aborts it for its caller, who is not called back any more: not even with an answer that is whole already. */
  giveUp(): void {
    this.isGivenUp = true
    this.abort()
  }

  override onHead(status: number, headers: Readonly<Record<string, string>>): void {
    this.status = status
    this.headers = headers
    super.onHead(status, headers)
  }

  override onBody(bytes: Buffer, from: number, to: number, isLast: boolean): void {
    if (isLast && this.pieces === undefined) {
      this.body = bytes.toString("utf8", from, to)
      return
    }
    // Put together before it is decoded: a piece may end within a character.
    this.pieces ??= []
    this.pieces.push(Buffer.from(bytes.subarray(from, to)))
    this.startIdle()
  }

  override onWhole(): void {
    this.settle()
    const { status, headers, pieces } = this
    const body = pieces === undefined ? this.body : Buffer.concat(pieces).toString("utf8")
    this.end(Exit.succeed({ status, headers, body }))
  }

  protected override onFailed(error: TransportError): void {
    this.end(Exit.fail(error))
  }

  private end(exit: Exit.Exit<WireResponse, TransportError>): void {
    this.shared.turns.soon(() => {
      if (!this.isGivenUp) this.onEnd.ended(exit)
    })
  }
}
