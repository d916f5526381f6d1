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
import * as Spool from "./Spool.ts"

export interface ChildEvents {
  readonly onMessage: (child: Child, message: ChildMessage) => void
  /** Once, after its last message. */
  readonly onEnd: (child: Child) => void
}

export interface ChildOptions {
  readonly script: string
  readonly share: number
  readonly endpoints: ReadonlyArray<EndpointCounts>
  /** The input, for it to read by itself. */
  readonly input: number | undefined
  readonly events: ChildEvents
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
  private readonly spool: Spool.SpoolReader | undefined
  private readonly events: ChildEvents
  /** What it says is not complete any more. */
  private isBroken = false

  constructor({ endpoints, events, input, script, share }: ChildOptions) {
    this.share = share
    this.endpoints = endpoints
    this.events = events
    const spool = Spool.open()
    if (spool !== undefined) {
      this.spool = new Spool.SpoolReader(spool, (upTo) => this.send({ _tag: "Freed", upTo }))
    }
    this.process = spawn(process.execPath, [...process.execArgv, script, CHILD_ARGUMENT], {
      // Standard output may have the results for itself.
      stdio: ["ignore", "ignore", "inherit", "pipe", "pipe", input ?? "ignore", spool ?? "ignore"]
    })
    this.rows = this.pipe(FROM_PARENT)
    const results = this.pipe(TO_PARENT)
    if (results !== undefined) {
      Frames.read(results, (frame) => {
        const message = this.messageOf(frame)
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

  get hasSpool(): boolean {
    return this.spool !== undefined
  }

  kill(): void {
    if (this.state !== "ended") this.process.kill("SIGKILL")
  }

  /** A message, with what belongs to it and came through the spool. */
  private messageOf(frame: Frames.Frame): ChildMessage | undefined {
    if (this.isBroken) return undefined
    const message = childMessageOf(frame)
    if (message?._tag !== "Results" || message.spooled === undefined) return message
    const { at, lengths } = message.spooled
    const [save, errors] = this.spool?.take(at, lengths) ?? []
    if (save !== undefined && errors !== undefined) return { ...message, save, errors }
    // Its rows are not settled then, and go to others; so do those of all that it says after that.
    this.isBroken = true
    this.kill()
    return undefined
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
    this.spool?.close()
    this.events.onEnd(this)
  }
}
