/** Memory of bytes that go through a process and leave it as they are. */

export const NO_BYTES: Uint8Array = new Uint8Array(0)

/**
 * Gives back the memory of bytes that nobody needs any more, now and not when the collector comes to it: a process that
 * hands on bytes makes little other garbage, and would have its whole heap looked through again and again for theirs.
 *
 * Only of whole allocations; what is a part of one is left to the collector.
 */
export const free = (bytes: Uint8Array): void => {
  const { buffer, length } = bytes
  if (length > 0 && buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0)
}
