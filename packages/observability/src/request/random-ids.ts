import { randomFillSync } from 'node:crypto'

const POOL_BYTES = 4_096
/** Random bytes in batches: one call of the generator costs as much as 30 ids from the pool. */
const pool = Buffer.alloc(POOL_BYTES)
let used = POOL_BYTES

// RFC 9562 4.1: the first two bits of this digit are 10.
const VARIANT = '89ab'
let prefixAtMs = -1
let prefix = ''

/** Returns random bytes in lower-case hexadecimal digits. Each byte of the pool is used once. */
function randomHex(bytes: number): string {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool)
    used = 0
  }
  used += bytes
  return pool.toString('hex', used - bytes, used)
}

/** Returns a UUIDv7 (RFC 9562 5.7): the time in milliseconds, then 74 random bits. */
export function newRequestId(nowMs = Date.now()): string {
  if (nowMs !== prefixAtMs) {
    const time = nowMs.toString(16).padStart(12, '0')
    prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`
    prefixAtMs = nowMs
  }
  const hex = randomHex(10)
  const variant = VARIANT[hex.charCodeAt(3) & 3] ?? '8'
  return `${prefix}${hex.slice(0, 3)}-${variant}${hex.slice(4, 7)}-${hex.slice(7, 19)}`
}

/** Returns the id of a trace (W3C Trace Context 3.2.2.3). */
export function newTraceId(): string {
  return nonZero(16)
}

/** Returns the id of a span (W3C Trace Context 3.2.2.4). */
export function newSpanId(): string {
  return nonZero(8)
}

// W3C Trace Context 3.2.2: all-zero ids are invalid.
function nonZero(bytes: number): string {
  const hex = randomHex(bytes)
  return hex.charCodeAt(0) === 48 && /^0+$/.test(hex) ? nonZero(bytes) : hex
}
