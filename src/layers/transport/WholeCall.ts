/** A request whose answer is read to its end before anyone sees it. */
import * as Exit from "effect/Exit"
import type { WireRequest, WireResponse } from "../../domain/providers/Wire.ts"
import type { EndListener, SendListener, StartedRequest, TransportError } from "../../services/Transport.ts"
import { Call, type Shared } from "./Call.ts"
import type { TurnTask } from "./Turns.ts"

export class WholeCall extends Call implements StartedRequest, TurnTask {
  /** Until it is given up. */
  private onEnd: EndListener | undefined
  /** From its head on. */
  private answer = NO_ANSWER
  /** Of the body, when it does not come in one piece, as nearly all do. */
  private pieces: Array<Buffer> | undefined = undefined
  /** What is soon told. */
  private exit: Exit.Exit<WireResponse, TransportError> | undefined = undefined

  constructor(shared: Shared, request: WireRequest, onEnd: EndListener, listener: SendListener | undefined) {
    super(shared, request, listener)
    this.onEnd = onEnd
  }

  /** Aborts it for its caller, who is not called back any more: not even with an answer that is whole already. */
  giveUp(): void {
    this.onEnd = undefined
    this.abort()
  }

  override onHead(status: number, headers: Readonly<Record<string, string>>): void {
    this.answer = { status, headers, body: "" }
    super.onHead(status, headers)
  }

  override onBody(bytes: Buffer, from: number, to: number, isLast: boolean): void {
    if (isLast && this.pieces === undefined) {
      this.answer.body = bytes.toString("utf8", from, to)
      return
    }
    // Put together before it is decoded: a piece may end within a character.
    this.pieces ??= []
    this.pieces.push(Buffer.from(bytes.subarray(from, to)))
    this.startIdle()
  }

  override onWhole(): void {
    this.settle()
    if (this.pieces !== undefined) this.answer.body = Buffer.concat(this.pieces).toString("utf8")
    this.end(Exit.succeed(this.answer))
  }

  onTurn(): void {
    if (this.exit !== undefined) this.onEnd?.ended(this.exit)
  }

  protected override onFailed(error: TransportError): void {
    this.end(Exit.fail(error))
  }

  private end(exit: Exit.Exit<WireResponse, TransportError>): void {
    this.exit = exit
    this.shared.turns.soon(this)
  }
}

/** One for all that wait for theirs. */
const NO_ANSWER: { -readonly [K in keyof WireResponse]: WireResponse[K] } = Object.freeze({
  status: 0,
  headers: {},
  body: ""
})
