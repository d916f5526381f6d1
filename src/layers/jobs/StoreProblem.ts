/** What clients are told when the store of jobs fails. */
import { Problem } from "../../domain/server/Problem.ts"
import type { JobStoreError } from "../../services/JobStore.ts"

const RETRY_MS = 1_000

/** The store's own sentence may name files and hosts: it is for the log. */
export const storeProblem = ({ isTransient }: JobStoreError): Problem =>
  isTransient
    ? new Problem({
        kind: "Overloaded",
        code: "store_unavailable",
        message: "The store of jobs does not answer now: come again.",
        retryAfterMs: RETRY_MS
      })
    : new Problem({ kind: "Internal", code: "store_failed", message: "The store of jobs failed at this request." })
