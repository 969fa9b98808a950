import type { Duplex, Readable } from 'node:stream'
import { isFieldValue, isTarget, isToken } from './characters.ts'
import { ClientError } from './client-error.ts'
import type { ResponseHead } from './head.ts'

export interface ClientRequest {
  readonly method: string
  /** The target, which begins with a slash. */
  readonly path: string
  /** `[name, value, name, value, ...]` */
  readonly headers: readonly string[]
  /** Its length is that of the field `Content-Length`. A stream without the field is sent in chunks. */
  readonly body: Buffer | Readable | null
  /** Whether the request changes the protocol to `websocket`. */
  readonly isUpgrade?: boolean
  /** Whether the body of the response may be silent for any time. */
  readonly isStream?: boolean
}

/** Receives the events of one request. `onEnd`, `onUpgrade` or `onError` is the last one. */
export interface ResponseHandler {
  /** The request is being written to a connection. */
  onSent(): void
  /** An informational response. */
  onInformation(head: ResponseHead): void
  onHead(head: ResponseHead): void
  /** @param chunk is valid during the call only: copy it to use it later */
  onData(chunk: Buffer): void
  onEnd(): void
  /** The protocol has changed. The handler owns the socket, and reads it from this call on. */
  onUpgrade(head: ResponseHead, socket: Duplex): void
  onError(error: Error): void
}

/** The head of a request as it is written, and the framing of its body. */
export interface RequestHead {
  readonly text: string
  /** The bytes of the body; -1 for chunks. */
  readonly bodyBytes: number
  /** The connection serves no further request. */
  readonly isLast: boolean
}

// RFC 9110 9.3: a body of another method has no defined meaning, so an instance may not read it.
const methodsWithBody: ReadonlySet<string> = new Set([
  'POST',
  'PUT',
  'PATCH',
  'QUERY',
  'PROPFIND',
  'PROPPATCH',
])

/** Fields of a connection and of the framing, which the client writes itself. */
const refused: ReadonlySet<string> = new Set([
  'expect',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
])

/** Collects the fields that decide about the connection and the framing. */
interface Fields {
  host: string | undefined
  contentLength: number
  isClosed: boolean
}

/**
 * Writes the head of a request. Nothing in it can begin another line or another request.
 * @param defaultHost the host of a request without the field
 * @throws ClientError `invalid_request`
 */
export function writeRequestHead(request: ClientRequest, defaultHost: string): RequestHead {
  const { method, path, headers, body } = request
  if (!isToken(method)) throw invalid('its method is no token')
  if (!isTarget(path)) throw invalid('its target is no path, or has an invalid character')
  if (headers.length % 2 !== 0) throw invalid('a field has no value')
  const fields: Fields = { host: undefined, contentLength: -1, isClosed: false }
  let lines = ''
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    const value = headers[i + 1] ?? ''
    if (!isToken(name)) throw invalid('a name of a field is no token')
    if (!isFieldValue(value)) throw invalid(`the value of ${name} has an invalid character`)
    if (isWritten(name, value, fields)) lines += `${name}: ${value}\r\n`
  }
  const bodyBytes = bodyBytesOf(body, fields.contentLength)
  const hasPayload = methodsWithBody.has(method)
  const isLast =
    fields.isClosed ||
    method === 'HEAD' ||
    request.isUpgrade === true ||
    (bodyBytes !== 0 && !hasPayload)
  const connection = request.isUpgrade
    ? 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
    : isLast
      ? 'Connection: close\r\n'
      : 'Connection: keep-alive\r\n'
  const host = fields.host ?? defaultHost
  const framing = framingOf(bodyBytes, hasPayload)
  const text = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${connection}${lines}${framing}\r\n`
  return { text, bodyBytes, isLast }
}

/** Whether a field is written as it is. The other ones are collected. */
function isWritten(name: string, value: string, fields: Fields): boolean {
  // Most names have another length than each of these fields.
  switch (name.length) {
    case 4:
    case 6:
    case 7:
    case 10:
    case 14:
    case 17:
      return !collect(name.toLowerCase(), value, fields)
    default:
      return true
  }
}

function collect(name: string, value: string, fields: Fields): boolean {
  if (name === 'host') {
    if (fields.host !== undefined) throw invalid('it has two hosts')
    fields.host = value
    return true
  }
  if (name === 'content-length') {
    if (fields.contentLength >= 0) throw invalid('it has two lengths')
    if (!/^\d{1,15}$/.test(value)) throw invalid('its length is no number')
    fields.contentLength = Number(value)
    return true
  }
  if (name === 'connection') {
    const options = value.split(',').map((option) => option.trim().toLowerCase())
    if (!options.every(isToken)) throw invalid('Connection is no list of options')
    fields.isClosed ||= options.includes('close')
    return true
  }
  if (refused.has(name)) throw invalid(`${name} is no field of a forwarded request`)
  return false
}

function bodyBytesOf(body: ClientRequest['body'], contentLength: number): number {
  if (body !== null && !Buffer.isBuffer(body)) return contentLength
  const bytes = body?.length ?? 0
  if (bytes > 0 && contentLength >= 0 && contentLength !== bytes) {
    throw invalid('its length is not the length of its body')
  }
  return bytes
}

function framingOf(bodyBytes: number, hasPayload: boolean): string {
  if (bodyBytes < 0) return 'Transfer-Encoding: chunked\r\n'
  // RFC 9110 8.6: a request without content has the field only if its method expects one.
  return bodyBytes > 0 || hasPayload ? `Content-Length: ${bodyBytes}\r\n` : ''
}

function invalid(reason: string): ClientError {
  return new ClientError('invalid_request', `the request cannot be sent: ${reason}`)
}
