/** What Postgres says, as a sentence. Its own words stay out: they may quote requests, addresses and names. */
import type { SqlError } from "effect/sql/SqlError"
import { JobStoreError } from "../../services/JobStore.ts"

export const storeError = (error: SqlError | JobStoreError): JobStoreError => {
  if (error._tag === "JobStoreError") return error
  const state = sqlState(error)
  const [why, isTransient] = reasonOf(error, state)
  return new JobStoreError({
    message: `The database of jobs ${why}${state === undefined ? "" : ` (SQLSTATE ${state})`}.`,
    isTransient
  })
}

export const tooSlow = (seconds: number): JobStoreError =>
  new JobStoreError({ message: `The database of jobs has not answered within ${seconds} s.`, isTransient: true })

const reasonOf = (error: SqlError, state: string | undefined): readonly [why: string, isTransient: boolean] => {
  switch (error.reason._tag) {
    case "ConnectionError":
      return ["cannot be reached: it will be tried again", true]
    case "AuthenticationError":
      return ["does not let us in: check user and password in its URL", false]
    case "AuthorizationError":
      return ["does not let its user do this: grant the rights to make and change tables", false]
    case "DeadlockError":
    case "LockTimeoutError":
    case "SerializationError":
    case "StatementTimeoutError":
      return ["is busy: it will be tried again", true]
    default:
  }
  switch (state?.slice(0, 2)) {
    case "3D":
      return ["does not exist under the name in its URL", false]
    // A standby after a failover, or an operator's doing.
    case "25":
      return ["takes no changes now: it will be tried again", true]
    case "53":
      return ["is out of space, memory or connections", true]
    // An operator's doing: it shuts down, or has not started yet.
    case "57":
      return ["is shutting down or starting: it will be tried again", true]
    default:
      return ["has refused a statement", false]
  }
}

/** The five characters of https://www.postgresql.org/docs/current/errcodes-appendix.html, when the server has spoken. */
const sqlState = ({ reason: { cause } }: SqlError): string | undefined =>
  typeof cause === "object" && cause !== null && "code" in cause && /^[0-9A-Z]{5}$/.test(String(cause.code))
    ? String(cause.code)
    : undefined
