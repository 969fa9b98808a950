import { STATUS_CODES } from 'node:http'
import type { ResponseHead } from './client/head.ts'
import { areWritable, namesToDrop, type RawHeaders } from './raw-headers.ts'

// RFC 9112 4: a reason phrase has tabs, spaces, visible characters and obs-text.
const unwritable = /[^\t\x20-\x7e\x80-\xff]/
const beyondAscii = /[\x80-\xff]/

/** Whether node:http can write the head of this response. */
export function isWritableHead({ statusCode, rawHeaders }: ResponseHead): boolean {
  return isFinalStatus(statusCode) && areWritable(rawHeaders)
}

/** Whether it is the status of a final response (RFC 9110 15). */
export function isFinalStatus(statusCode: number): boolean {
  return statusCode >= 200 && statusCode <= 599
}

/** Returns the response headers for the client. */
export function headersOf(head: ResponseHead): RawHeaders {
  const { rawHeaders, lowerNames } = head
  const dropped = namesToDrop(head.get('connection'))
  const remaining: RawHeaders = []
  for (let i = 0; i < lowerNames.length; i += 1) {
    if (dropped.has(lowerNames[i] ?? '')) continue
    remaining.push(rawHeaders[2 * i] ?? '', rawHeaders[2 * i + 1] ?? '')
  }
  return remaining
}

/** Returns the reason phrase, or the standard one if it is malformed (RFC 9112 4). */
export function reasonOf({ statusCode, reason }: ResponseHead): string | undefined {
  // Most servers that write other letters than those of ASCII write UTF-8.
  const text = beyondAscii.test(reason) ? Buffer.from(reason, 'latin1').toString() : reason
  return unwritable.test(text) ? STATUS_CODES[statusCode] : text
}

/** Whether the response has no end, so that it uses the slot of a stream. */
export function isEventStream(head: ResponseHead): boolean {
  const type = head.get('content-type')
  return type !== undefined && /^text\/event-stream(;|\s|$)/i.test(type)
}
