import type { IncomingMessage } from 'node:http'
import { addForwarded } from './forwarded.ts'
import { namesToDrop, type RawHeaders, withoutHeaders } from './raw-headers.ts'
import { DEADLINE_HEADER, readDeadline } from './request-deadlines.ts'
import type { Settings } from './settings.ts'

/** Returns the request headers for the instance. */
export function requestHeadersOf<Context>(
  { dropped, forwarded }: Settings<Context>,
  req: IncomingMessage,
): RawHeaders {
  const headers = withoutHeaders(req.rawHeaders, namesToDrop(req.headers.connection, dropped))
  addForwarded(headers, req, forwarded)
  return headers
}

/** Returns the deadline of a request: the shorter one of this proxy and of a trusted one before it. */
export function deadlineOf<Context>(
  { deadlineMs, forwarded }: Settings<Context>,
  req: IncomingMessage,
  context: Context,
): number | undefined {
  const limitMs = typeof deadlineMs === 'function' ? deadlineMs(req, context) : deadlineMs
  const received = forwarded === 'append' ? readDeadline(req.headers[DEADLINE_HEADER]) : undefined
  if (limitMs === undefined) return received
  return received === undefined ? limitMs : Math.min(limitMs, received)
}
