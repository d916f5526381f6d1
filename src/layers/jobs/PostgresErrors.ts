/** What Postgres says, as a sentence. Its own words stay out: they may quote requests, addresses and names. */
import * as Redacted from "effect/Redacted"
import type { SqlError } from "effect/sql/SqlError"
import { JobStoreError } from "../../services/JobStore.ts"

/** Of a database that is used already. */
export const storeError = (error: SqlError | JobStoreError): JobStoreError => {
  if (error._tag === "JobStoreError") return error
  const [why, isTransient] = reasonOf(error, sqlState(error))
  return new JobStoreError({
    message: `The database of jobs ${why}${isTransient ? ": it will be tried again" : ""}.`,
    isTransient
  })
}

/** Of a database that is to be opened, which is not tried again. Tells its host and port, and nothing else of its URL. */
export const openError =
  (url: Redacted.Redacted<string>) =>
  (error: SqlError | JobStoreError): JobStoreError => {
    if (error._tag === "JobStoreError") return error
    const [why, isTransient] = reasonOf(error, sqlState(error))
    const host = URL.parse(Redacted.value(url))?.host ?? ""
    return new JobStoreError({
      message:
        `The database of jobs${host === "" ? "" : ` at ${host}`} ${why}` +
        (isTransient ? ", and the service does not start without it: look after it, or correct its URL." : "."),
      isTransient
    })
  }

export const tooSlow = (seconds: number): JobStoreError =>
  new JobStoreError({ message: `The database of jobs has not answered within ${seconds} s.`, isTransient: true })

const reasonOf = (error: SqlError, state: string | undefined): readonly [why: string, isTransient: boolean] => {
  const [why, isTransient] = whyOf(error, state)
  return [state === undefined ? why : `${why} (SQLSTATE ${state})`, isTransient]
}

const whyOf = (error: SqlError, state: string | undefined): readonly [why: string, isTransient: boolean] => {
  switch (error.reason._tag) {
    case "ConnectionError":
      return ["cannot be reached", true]
    case "AuthenticationError":
      return ["does not let us in: check user and password in its URL", false]
    case "AuthorizationError":
      return ["does not let its user do this: grant the rights to make and change tables", false]
    case "DeadlockError":
    case "LockTimeoutError":
    case "SerializationError":
    case "StatementTimeoutError":
      return ["is busy", true]
    default:
  }
  switch (state?.slice(0, 2)) {
    case "3D":
      return ["does not exist under the name in its URL", false]
    // A standby after a failover, or an operator's doing.
    case "25":
      return ["takes no changes now", true]
    case "53":
      return ["is out of space, memory or connections", true]
    // An operator's doing: it shuts down, or has not started yet.
    case "57":
      return ["is shutting down or starting", true]
    default:
      return ["has refused a statement", false]
  }
}

/** The five characters of https://www.postgresql.org/docs/current/errcodes-appendix.html, when the server has spoken. */
const sqlState = ({ reason: { cause } }: SqlError): string | undefined =>
  typeof cause === "object" && cause !== null && "code" in cause && /^[0-9A-Z]{5}$/.test(String(cause.code))
    ? String(cause.code)
    : undefined
