/** Just as much of HTTP as an endpoint needs that must cost less than the client that is measured. */

/**
 * Reads what a connection receives, and calls for each request that has come whole. Requests have a Content-Length or no
 * body, and come one after another.
 */
export const requestReader = (onRequest: (head: string) => void): ((chunk: Buffer) => void) => {
  let head = ""
  let bodyLeft = 0
  return (chunk) => {
    let at = 0
    while (at < chunk.length) {
      if (bodyLeft > 0) {
        const length = Math.min(bodyLeft, chunk.length - at)
        at += length
        bodyLeft -= length
      } else {
        const before = head.length
        head += chunk.toString("latin1", at)
        const end = head.indexOf("\r\n\r\n")
        if (end === -1) return
        at += end + 4 - before
        head = head.slice(0, end)
        bodyLeft = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
      }
      if (bodyLeft === 0) {
        onRequest(head)
        head = ""
      }
    }
  }
}
