/** Which fields of provider rows did not reach the endpoints that answered them. */
import type { Family } from "../genai/GenAiRequest.ts"
import type { Row } from "./Row.ts"

/** The kinds of endpoints that are sent a row's body as it is, by its family; `raw` takes any. */
const SPEAKS: Readonly<Record<Family, ReadonlySet<string>>> = {
  openai: new Set(["openai", "azure", "raw"]),
  gemini: new Set(["gemini", "vertex", "raw"]),
  anthropic: new Set(["anthropic", "raw"])
}

/** Names of fields by the kind of endpoint that was not sent them, as data. */
export type UnsaidFields = ReadonlyArray<readonly [kind: string, fields: ReadonlyArray<string>]>

/** Collects the names of the fields, each once. */
export class Unsaid {
  private readonly kinds: ReadonlyMap<string, string>
  private readonly fields = new Map<string, Set<string>>()

  /** `endpoints` is the endpoints' kind by name; those that are not in it count as of the row's own family. */
  constructor(endpoints: Iterable<readonly [name: string, kind: string]>) {
    this.kinds = new Map(endpoints)
  }

  /** A row was answered by this endpoint. */
  answered(row: Row, endpoint: string): void {
    if (row.unsaid.length > 0) this.note(row, this.kinds.get(endpoint))
  }

  /** A row may be answered by any endpoint. */
  mayBeAnswered(row: Row): void {
    if (row.unsaid.length > 0) for (const kind of this.kinds.values()) this.note(row, kind)
  }

  /** What was collected. */
  get collected(): UnsaidFields {
    return Array.from(this.fields, ([kind, fields]) => [kind, [...fields]])
  }

  /** Takes over what another one has collected. */
  add(collected: UnsaidFields): void {
    for (const [kind, fields] of collected) this.noteAll(kind, fields)
  }

  /** A sentence for each kind of endpoint that was sent less than the rows say. */
  get warnings(): ReadonlyArray<string> {
    return Array.from(
      this.fields,
      ([kind, fields]) =>
        `Some fields of the rows are in another provider's words and are not sent to endpoints of kind ${kind}: ${[...fields].join(", ")}.`
    )
  }

  private note({ request, unsaid }: Row, kind: string | undefined): void {
    if (kind === undefined || request.native === undefined || SPEAKS[request.native.family].has(kind)) return
    this.noteAll(kind, unsaid)
  }

  private noteAll(kind: string, names: ReadonlyArray<string>): void {
    const fields = this.fields.get(kind) ?? new Set()
    for (const name of names) if (fields.size < MOST) fields.add(name)
    this.fields.set(kind, fields)
  }
}

/** Names come from the rows: no more than a sentence can hold. */
const MOST = 20
