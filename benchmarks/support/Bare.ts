/** undici's bare `dispatch`, which our transport is built on: the floor that everything over HTTP is compared with. */
import { Client } from "undici"

export interface BareRequest {
  readonly path: string
  /** Names and values in turn. */
  readonly headers: ReadonlyArray<string>
  readonly body: string
}

/** A client as the transport has for each request at a time. */
export const bareClient = (origin: string): Client => new Client(origin, { allowH2: false, pipelining: 1 })

/** One POST; ends with its answer, of which every piece is handed on. */
export const bareDispatch = (
  client: Client,
  { body, headers, path }: BareRequest,
  onData: (chunk: Buffer) => void
): Promise<void> =>
  new Promise((resolve, reject) => {
    client.dispatch(
      { method: "POST", path, headers: [...headers], body },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData: (_, chunk) => onData(chunk),
        onResponseEnd: () => resolve(),
        onResponseError: (_, error) => reject(error)
      }
    )
  })

/** One POST, and its answer put together as text. */
export const bareAnswer = async (client: Client, request: BareRequest): Promise<string> => {
  const chunks: Array<Buffer> = []
  await bareDispatch(client, request, (chunk) => void chunks.push(chunk))
  return Buffer.concat(chunks).toString()
}

/** Many requests, one after another over each connection; an error without as many proper answers. */
export const bareAnswers = async (
  origin: string,
  requests: number,
  connections: number,
  requestOf: (row: number) => BareRequest
): Promise<number> => {
  let next = 0
  let done = 0
  const place = async () => {
    const client = bareClient(origin)
    while (next < requests) if ((await bareAnswer(client, requestOf(next++))).includes("choices")) done++
    await client.close()
  }
  await Promise.all(Array.from({ length: connections }, place))
  if (done !== requests) throw new Error(`${done} of ${requests} are answered`)
  return done
}

/** The request that the tool makes of `{"input": "row N"}`, byte for byte. */
export const rowRequest = (baseUrl: string): { origin: string; requestOf: (row: number) => BareRequest } => {
  const { origin, pathname } = new URL(`${baseUrl}/chat/completions`)
  const types = ["content-type", "application/json", "accept", "application/json"]
  const headers = [...types, "user-agent", "genai-dispatcher"]
  return {
    origin,
    requestOf: (row) => ({
      path: pathname,
      headers,
      body: JSON.stringify({ model: "model-1", messages: [{ role: "user", content: `row ${row}` }] })
    })
  }
}
