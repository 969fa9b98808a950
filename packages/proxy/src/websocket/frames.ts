import { randomBytes } from 'node:crypto'

const CLOSE = 8

/** Follows where the frames of one direction begin and end, without their content (RFC 6455 5.2). */
export class Frames {
  /** Whether a close frame has begun. */
  hasClose = false
  #head: number[] = []
  #remaining = 0

  /** Whether the last byte was the end of a frame. */
  get isBetween(): boolean {
    return this.#remaining === 0 && this.#head.length === 0
  }

  /**
   * Reads a chunk, or its bytes up to the end of the first frame if `stopsAtEnd`.
   * @returns the number of bytes that it read
   */
  follow(chunk: Buffer, stopsAtEnd = false): number {
    let at = 0
    while (at < chunk.length) {
      if (this.#remaining > 0) {
        const bytes = Math.min(this.#remaining, chunk.length - at)
        this.#remaining -= bytes
        at += bytes
      } else {
        this.#readHead(chunk[at] ?? 0)
        at += 1
      }
      if (stopsAtEnd && this.isBetween) return at
    }
    return at
  }

  #readHead(byte: number): void {
    const head = this.#head
    head.push(byte)
    const second = head[1]
    if (second === undefined) return
    const length = second & 127
    const lengthBytes = length === 127 ? 8 : length === 126 ? 2 : 0
    if (head.length < 2 + lengthBytes + (second & 128 ? 4 : 0)) return
    if (((head[0] ?? 0) & 15) === CLOSE) this.hasClose = true
    this.#remaining = lengthBytes === 0 ? length : readInteger(head, 2, lengthBytes)
    this.#head = []
  }
}

function readInteger(bytes: number[], at: number, length: number): number {
  let value = 0
  for (let i = at; i < at + length; i += 1) value = value * 256 + (bytes[i] ?? 0)
  return value
}

/** Returns a close frame (RFC 6455 5.5.1). A frame to a server is masked. */
export function closeFrame(code: number, isMasked: boolean): Buffer {
  const [high, low] = [code >> 8, code & 255]
  if (!isMasked) return Buffer.from([128 | CLOSE, 2, high, low])
  const [a = 0, b = 0, c = 0, d = 0] = randomBytes(4)
  return Buffer.from([128 | CLOSE, 128 | 2, a, b, c, d, high ^ a, low ^ b])
}
