/** A process that sends rows, as its parent sees it. */
import { type ChildProcess, spawn } from "node:child_process"
import { Socket } from "node:net"
import { NOTHING_DONE, type TallyCounts } from "../../../domain/batch/Tally.ts"
import { type EndpointCounts, ended } from "../../../domain/genai/MergeStats.ts"
import { howEnded } from "../../processes/ProcessEnd.ts"
import { Hand } from "./Dealer.ts"
import * as Frames from "./Frames.ts"
import {
  CHILD_ARGUMENT,
  type ChildMessage,
  childMessageOf,
  FROM_PARENT,
  frameOf,
  type ParentMessage,
  TO_PARENT
} from "./Messages.ts"

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
  private readonly rows: Socket | undefined
  private readonly events: ChildEvents

  constructor(script: string, share: number, endpoints: ReadonlyArray<EndpointCounts>, events: ChildEvents) {
    this.share = share
    this.endpoints = endpoints
    this.events = events
    this.process = spawn(process.execPath, [...process.execArgv, script, CHILD_ARGUMENT], {
      // Standard output may have the results for itself.
      stdio: ["ignore", "ignore", "inherit", "pipe", "pipe"]
    })
    this.rows = this.pipe(FROM_PARENT)
    const results = this.pipe(TO_PARENT)
    if (results !== undefined) {
      Frames.read(results, (frame) => {
        const message = childMessageOf(frame)
        if (message !== undefined) events.onMessage(this, message)
      })
    }
    // Comes after the ends of the pipes, and so after all that it has sent.
    this.process.once("close", () => this.end())
    this.process.on("error", (error) => {
      if (this.process.pid === undefined) this.end(error.message)
    })
  }

  /** What it does not get because it is gone, it need not get. */
  send(message: ParentMessage): void {
    if (this.rows?.writable) Frames.write(this.rows, frameOf(message))
  }

  kill(): void {
    if (this.state !== "ended") this.process.kill("SIGKILL")
  }

  /** `undefined` when the process could not be started. */
  private pipe(at: number): Socket | undefined {
    const pipe = this.process.stdio?.[at]
    if (!(pipe instanceof Socket)) return undefined
    // When nothing can be read or written any more, the end of the process says why.
    pipe.on("error", () => {})
    return pipe
  }

  private end(why = howEnded(this.process)): void {
    if (this.state === "ended") return
    this.state = "ended"
    if (!this.isComplete) this.death = why
    this.endpoints = this.endpoints.map(ended)
    this.events.onEnd(this)
  }
}
