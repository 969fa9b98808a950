import { STATUS_CODES } from 'node:http'
import type { Dispatcher } from 'undici'
import { areWritable, namesToDrop, type RawHeaders, withoutHeaders } from './raw-headers.ts'

type Raw = Dispatcher.DispatchController['rawHeaders']
type Parsed = Record<string, string | string[] | undefined>

// RFC 9112 4: a reason phrase has tabs, spaces, visible characters and obs-text.
const unwritable = /[^\t\x20-\x7e\x80-\xff]/

/** Whether node:http can write the head of this response. */
export function isWritableHead(statusCode: number, raw: Raw): boolean {
  return isFinalStatus(statusCode) && areWritable(decode(raw))
}

/** Whether it is the status of a final response (RFC 9110 15). */
export function isFinalStatus(statusCode: number): boolean {
  return statusCode >= 200 && statusCode <= 599
}

/** Returns the response headers for the client. */
export function headersOf(raw: Raw, parsed: Parsed): RawHeaders {
  return withoutHeaders(decode(raw), namesToDrop(parsed['connection']?.toString()))
}

/** Returns the reason phrase, or the standard one if it is malformed (RFC 9112 4). */
export function reasonOf(statusCode: number, statusMessage = ''): string | undefined {
  return unwritable.test(statusMessage) ? STATUS_CODES[statusCode] : statusMessage
}

/** Whether the response has no end, so that it uses the slot of a stream. */
export function isEventStream(parsed: Parsed): boolean {
  const type = parsed['content-type']
  return typeof type === 'string' && /^text\/event-stream(;|\s|$)/i.test(type)
}

/** Over HTTP/1.1, the raw headers of undici are Buffers. */
function decode(raw: Raw): RawHeaders {
  if (!Array.isArray(raw)) return []
  return raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1')))
}
