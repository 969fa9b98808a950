/** The most bytes of one write, unless one line is longer. */
export const CHUNK_BYTES = 65_536

/**
 * Creates a queue of lines that wait to be written, limited in bytes. A chunk that was written in
 * part continues with its next byte, so a line is never cut and never mixed with another one.
 */
export function createLineQueue(maxBytes: number) {
  let lines: string[] = []
  let sizes: number[] = []
  let first = 0
  let chunk: Buffer | undefined
  let bytes = 0

  function nextChunk(): Buffer {
    let last = first
    let size = 0
    do {
      size += sizes[last] ?? 0
      last += 1
    } while (last < lines.length && size + (sizes[last] ?? 0) <= CHUNK_BYTES)
    const text = lines.slice(first, last).join('')
    first = last
    if (first * 2 > lines.length) {
      lines = lines.slice(first)
      sizes = sizes.slice(first)
      first = 0
    }
    return Buffer.from(text)
  }

  return {
    get bytes() {
      return bytes
    },
    /** Adds a line of this size. Returns false when it exceeds the limit. */
    push(line: string, size: number, reserveBytes = 0): boolean {
      if (bytes + size > maxBytes + reserveBytes) return false
      lines.push(line)
      sizes.push(size)
      bytes += size
      return true
    },
    /** Returns the bytes to write next; they are empty when no line waits. */
    head(): Buffer {
      return (chunk ??= bytes > 0 ? nextChunk() : Buffer.alloc(0))
    },
    /** Removes the first `written` bytes of the head. */
    advance(written: number): void {
      const head = chunk ?? Buffer.alloc(0)
      bytes -= written
      chunk = written < head.length ? head.subarray(written) : undefined
    },
  }
}
