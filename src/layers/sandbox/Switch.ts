/** Holds what the sandbox was told to do, and goes back to `up` when the time is over. */
import type { SandboxControl, SandboxMode } from "../../domain/sandbox/Control.ts"

export class Switch {
  private control: SandboxControl = { mode: "up" }
  private timer: NodeJS.Timeout | undefined

  get mode(): SandboxMode {
    return this.control.mode
  }

  /** What mode `429` asks to wait, in milliseconds. */
  get retryAfterMs(): number | undefined {
    return this.control.retryAfter
  }

  /** The last order counts: it ends the one before, with its time. */
  set(control: SandboxControl): void {
    clearTimeout(this.timer)
    this.control = control
    if (control.for !== undefined) this.timer = setTimeout(() => this.set({ mode: "up" }), control.for)
  }

  /** No timer is left. */
  close(): void {
    clearTimeout(this.timer)
  }
}
