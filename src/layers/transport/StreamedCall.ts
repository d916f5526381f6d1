/** A request whose answer is handed on as it comes, as fast as it is read and no faster. */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { TransportError, WireStream } from "../../services/Transport.ts"
import { Call } from "./Call.ts"
import * as TransportErrors from "./TransportErrors.ts"
import type { TurnTask } from "./Turns.ts"

/** So many bytes are kept unread, and those of one more read of the socket, before the endpoint is held back. */
const HIGH_WATER_BYTES = 64 * 1024

type Chunks = Arr.NonEmptyReadonlyArray<Uint8Array>
type Next = Pull.Pull<Chunks, TransportError>

export class StreamedCall extends Call implements TurnTask {
  private hasHead = false
  private onHeadRead: ((head: Effect.Effect<WireStream, TransportError>) => void) | undefined = undefined
  /** Whoever waits for the next chunks. */
  private reader: ((next: Next) => void) | undefined = undefined
  private unread: Arr.NonEmptyArray<Uint8Array> | undefined = undefined
  private unreadBytes = 0
  /** What comes after the unread chunks: the end, or why there is none. */
  private ending: Effect.Effect<never, TransportError | Cause.Done> | undefined = undefined
  /** The connection is not read until someone reads the chunks that are there. */
  private isHeldBack = false
  private isWaking = false

  /** Sends the request; waits for the head. At most once. */
  get opened(): Effect.Effect<WireStream, TransportError> {
    // With one parameter `callback` makes no AbortController.
    return Effect.callback((resume) => {
      this.onHeadRead = resume
      this.start()
      return Effect.sync(() => this.abort())
    })
  }

  /** Gives the answer up, if it has not ended. */
  abandon(): void {
    if (this.isSettled) return
    this.abort()
    this.unread = undefined
    this.end(Effect.fail(TransportErrors.abandoned(this.origin)))
  }

  override onHead(status: number, headers: Readonly<Record<string, string>>): void {
    super.onHead(status, headers)
    this.hasHead = true
    const head: WireStream = { status, headers, body: this.body }
    this.tellHead(Effect.succeed(head))
  }

  override onBody(bytes: Buffer, from: number, to: number): void {
    const chunk = Buffer.from(bytes.subarray(from, to))
    // A push to an empty array makes room for 17, and most chunks come alone.
    if (this.unread === undefined) this.unread = [chunk]
    else this.unread.push(chunk)
    this.unreadBytes += chunk.length
    if (this.unreadBytes >= HIGH_WATER_BYTES) {
      // Nothing can come until someone reads: that is not the endpoint's fault.
      this.stopIdle()
      this.isHeldBack = true
      this.connection?.pause()
    } else this.startIdle()
    this.wake()
  }

  override onWhole(): void {
    this.settle()
    this.end(Cause.done())
  }

  protected override onFailed(error: TransportError): void {
    if (this.hasHead) this.end(Effect.fail(error))
    else this.tellHead(Effect.fail(error))
  }

  private tellHead(head: Effect.Effect<WireStream, TransportError>): void {
    this.shared.turns.soon({ onTurn: () => this.onHeadRead?.(head) })
  }

  private get body(): Stream.Stream<Uint8Array, TransportError> {
    return Stream.fromChannel(
      Channel.fromTransform((_, scope) =>
        Effect.as(
          Scope.addFinalizer(
            scope,
            Effect.sync(() => this.abandon())
          ),
          this.nextChunks
        )
      )
    )
  }

  /** The chunks that are there, or the next that come, or the end. */
  private readonly nextChunks: Next = Effect.suspend(() => this.ready() ?? this.later)

  private readonly later: Next = Effect.callback((resume) => {
    this.reader = resume
    // The fiber may have stood aside since it looked.
    if (this.unread !== undefined || this.ending !== undefined) this.wake()
    return this.leave
  })

  private readonly leave = Effect.sync(() => {
    this.reader = undefined
  })

  private ready(): Next | undefined {
    const { unread } = this
    if (unread === undefined) return this.ending
    this.unread = undefined
    this.unreadBytes = 0
    if (this.isHeldBack) this.goOn()
    return Effect.succeed(unread)
  }

  private goOn(): void {
    this.isHeldBack = false
    if (this.isSettled) return
    this.startIdle()
    this.connection?.resume()
  }

  private end(ending: Effect.Effect<never, TransportError | Cause.Done>): void {
    this.ending = ending
    this.wake()
  }

  /** Soon gives the reader what has come by then: all chunks of one read of the socket together. */
  private wake(): void {
    if (this.isWaking || this.reader === undefined) return
    this.isWaking = true
    this.shared.turns.soon(this)
  }

  onTurn(): void {
    this.isWaking = false
    const { reader } = this
    if (reader === undefined) return
    const now = this.ready()
    if (now === undefined) return
    this.reader = undefined
    reader(now)
  }
}
