/** All requests under way, by connection: whoever goes takes its requests along. */
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Exchange } from "./Exchange.ts"
import type { ServiceState } from "./ServiceState.ts"

export class Exchanges {
  private readonly state: ServiceState
  private readonly connections = new Map<Duplex, Set<Exchange>>()
  private idle: Deferred.Deferred<void> | undefined = undefined

  constructor(state: ServiceState) {
    this.state = state
  }

  connect(socket: Socket): void {
    const ofSocket = new Set<Exchange>()
    this.connections.set(socket, ofSocket)
    socket.once("close", () => {
      this.connections.delete(socket)
      for (const exchange of ofSocket) exchange.gone()
    })
  }

  add(exchange: Exchange): void {
    this.state.inflight += 1
    this.connections.get(exchange.request.socket)?.add(exchange)
  }

  remove(exchange: Exchange): void {
    this.state.inflight -= 1
    this.connections.get(exchange.request.socket)?.delete(exchange)
    if (this.state.inflight === 0 && this.idle !== undefined) Deferred.doneUnsafe(this.idle, Effect.void)
  }

  /** Those of a connection, the oldest first. */
  of(socket: Duplex): ReadonlyArray<Exchange> {
    return [...(this.connections.get(socket) ?? [])]
  }

  /** Waits until there are none. */
  get whenIdle(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.state.inflight === 0) return Effect.void
      this.idle ??= Deferred.makeUnsafe<void>()
      return Deferred.await(this.idle)
    })
  }

  /** Stops all work on answers; each is then told so in its client's format. */
  interrupt(): void {
    for (const ofSocket of this.connections.values()) for (const exchange of ofSocket) exchange.interrupt()
  }
}
