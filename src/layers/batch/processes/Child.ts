/** A process that sends rows, as its parent sees it. */
import { type ChildProcess, fork } from "node:child_process"
import { NOTHING_DONE, type TallyCounts } from "../../../domain/batch/Tally.ts"
import { type EndpointCounts, ended } from "../../../domain/genai/MergeStats.ts"
import { howEnded, whenGone } from "../../processes/ProcessEnd.ts"
import { Hand } from "./Dealer.ts"
import { CHILD_ARGUMENT, type ChildMessage, isChildMessage, type ParentMessage } from "./Messages.ts"

export interface ChildEvents {
  readonly onMessage: (child: Child, message: ChildMessage) => void
  /** Once, after its last message. */
  readonly onEnd: (child: Child) => void
}

export class Child {
  /** Its place among the shares of the limits: one that replaces it gets the same. */
  readonly share: number
  readonly hand = new Hand()
  /** `starting` until it can be given rows; `ended` when nothing more comes from it. */
  state: "starting" | "ready" | "ended" = "starting"
  /** Whether it has done all that it was asked to. */
  isComplete = false
  tally: TallyCounts = NOTHING_DONE
  endpoints: ReadonlyArray<EndpointCounts>
  /** How it ended, when it was not complete. */
  death = ""

  private readonly process: ChildProcess
  private readonly events: ChildEvents

  constructor(script: string, share: number, endpoints: ReadonlyArray<EndpointCounts>, events: ChildEvents) {
    this.share = share
    this.endpoints = endpoints
    this.events = events
    this.process = fork(script, [CHILD_ARGUMENT], {
      serialization: "advanced",
      // Standard output may have the results for itself.
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    this.process.on("message", (message) => {
      if (isChildMessage(message)) events.onMessage(this, message)
    })
    whenGone(this.process, () => this.end())
    this.process.on("error", (error) => {
      if (this.process.pid === undefined) this.end(error.message)
    })
  }

  /** What it does not get because it is gone, it need not get. */
  send(message: ParentMessage): void {
    if (this.process.connected) this.process.send(message, undefined, undefined, () => {})
  }

  kill(): void {
    if (this.state !== "ended") this.process.kill("SIGKILL")
  }

  private end(why = howEnded(this.process)): void {
    if (this.state === "ended") return
    this.state = "ended"
    if (!this.isComplete) this.death = why
    this.endpoints = this.endpoints.map(ended)
    this.events.onEnd(this)
  }
}
