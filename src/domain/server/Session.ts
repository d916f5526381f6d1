/** Sessions as clients name them: what keeps a conversation at one endpoint. */
import { Problem } from "./Problem.ts"

/** They are remembered as long as the affinity's TTL, whoever names how many: so they are short. */
export const MAX_SESSION_LENGTH = 256

/** The session that a header names; `undefined` when it names none. */
export const sessionIn = (header: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof header === "string" && header !== "" ? header : undefined

export const tooLong = new Problem({
  kind: "InvalidRequest",
  field: "x-session-id",
  message: `x-session-id: expected at most ${MAX_SESSION_LENGTH} characters.`
})

/** The session as the dispatcher knows it: two owners that choose the same name have nothing in common. */
export const sessionOf = (owner: string, session: string | undefined): string | undefined =>
  session === undefined || owner === "" ? session : `${owner}\u0000${session}`
