/** Reads the bodies of requests. */
import type { IncomingMessage } from "node:http"

/** Larger bodies are refused. */
export const MAX_BODY_BYTES = 64 * 1024 * 1024

/** Calls back once with the whole body, or with `undefined` when it is too large; never when the client leaves first. */
export function readBody(request: IncomingMessage, then: (body: string | undefined) => void): void {
  const chunks: Array<Buffer> = []
  let bytes = 0
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= MAX_BODY_BYTES) {
      chunks.push(chunk)
    } else if (chunks.length > 0) {
      // What still comes is thrown away until the connection ends.
      chunks.length = 0
      then(undefined)
    }
  })
  request.on("end", () => {
    if (bytes <= MAX_BODY_BYTES) then((chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString("utf8"))
  })
}
