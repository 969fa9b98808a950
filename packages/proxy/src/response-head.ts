import { STATUS_CODES } from 'node:http'
import type { Dispatcher } from 'undici'
import { areWritable, namesToDrop, type RawHeaders, withoutHeaders } from './raw-headers.ts'

type Raw = Dispatcher.DispatchController['rawHeaders']
type Parsed = Record<string, string | string[] | undefined>

// RFC 9112 4: a reason phrase has tabs, spaces, visible characters and obs-text.
const unwritable = /[^\t\x20-\x7e\x80-\xff]/

/** Whether an instance sent a final response that node:http can write. */
export function isWritableHead(statusCode: number, raw: Raw): boolean {
  return isFinalStatus(statusCode) && areWritable(decode(raw))
}

/** RFC 9110 15: the values of a final status. */
export function isFinalStatus(statusCode: number): boolean {
  return statusCode >= 200 && statusCode <= 599
}

/** The header fields of a response that pass to the client. */
export function headersOf(raw: Raw, parsed: Parsed): RawHeaders {
  return withoutHeaders(decode(raw), namesToDrop(parsed['connection']?.toString()))
}

/** The reason phrase, or the standard one: RFC 9112 4 lets clients ignore it. */
export function reasonOf(statusCode: number, statusMessage = ''): string | undefined {
  return unwritable.test(statusMessage) ? STATUS_CODES[statusCode] : statusMessage
}

/** undici types the raw headers for all its protocols; over HTTP/1.1 they are Buffers. */
function decode(raw: Raw): RawHeaders {
  if (!Array.isArray(raw)) return []
  return raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1')))
}
