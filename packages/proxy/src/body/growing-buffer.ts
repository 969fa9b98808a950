const FIRST_BYTES = 1_024

/**
 * Bytes that arrive in parts. A single part is used without a copy. Further parts are copied: a
 * Buffer of one byte occupies some hundred bytes, so a list of parts would have no bound.
 */
export class GrowingBuffer {
  readonly #maxBytes: number
  #buffer: Buffer = Buffer.alloc(0)
  #length = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get length(): number {
    return this.#length
  }

  /** Returns the memory that `append` of this number of bytes adds. */
  bytesToAdd(bytes: number): number {
    return this.#capacityFor(this.#length + bytes) - this.#buffer.length
  }

  append(part: Buffer): void {
    const length = this.#length + part.length
    if (this.#length === 0) {
      this.#buffer = part
    } else {
      const capacity = this.#capacityFor(length)
      if (capacity > this.#buffer.length) {
        const larger = Buffer.allocUnsafeSlow(capacity)
        this.#buffer.copy(larger, 0, 0, this.#length)
        this.#buffer = larger
      }
      part.copy(this.#buffer, this.#length)
    }
    this.#length = length
  }

  bytes(): Buffer {
    return this.#length === this.#buffer.length
      ? this.#buffer
      : this.#buffer.subarray(0, this.#length)
  }

  clear(): void {
    this.#buffer = Buffer.alloc(0)
    this.#length = 0
  }

  #capacityFor(length: number): number {
    if (length <= this.#buffer.length || this.#length === 0) {
      return Math.max(length, this.#buffer.length)
    }
    const doubled = Math.max(FIRST_BYTES, this.#buffer.length * 2)
    return Math.max(length, Math.min(doubled, this.#maxBytes))
  }
}
