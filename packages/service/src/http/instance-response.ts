import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http'

const INSTANCE_ID = 'X-Instance-Id'
const REQUEST_ID = 'X-Request-Id'

type Head = OutgoingHttpHeaders | OutgoingHttpHeader[] | undefined

/**
 * A response that names its instance and request. Both fields are added to the head when it is written.
 * `setHeader` before `writeHead` would make node:http build the head field by field, which costs 4 us.
 * A field of the same name that the app sets replaces the one of the instance.
 */
export class InstanceResponse<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  /** Empty until the server has read the request. */
  instanceId = ''
  requestId = ''
  #bodyBytes = 0

  /** The bytes of the body that were written, without those of chunked framing. */
  get bodyBytes(): number {
    return this.#bodyBytes
  }

  override writeHead(statusCode: number, reason?: string | Head, headers?: Head): this {
    const [text, given] =
      typeof reason === 'string' ? [reason, headers] : [undefined, reason ?? headers]
    if (this.requestId === '') return this.#write(statusCode, text, given)
    // A field that setHeader set: node:http merges both kinds.
    if (this.getHeaderNames().length > 0) return this.#merge(statusCode, text, given)
    const raw = rawOf(given)
    if (!hasName(raw, INSTANCE_ID)) raw.push(INSTANCE_ID, this.instanceId)
    if (!hasName(raw, REQUEST_ID)) raw.push(REQUEST_ID, this.requestId)
    return this.#write(statusCode, text, raw)
  }

  override write(chunk: unknown, ...rest: never[]): boolean {
    this.#count(chunk, rest[0])
    return super.write(chunk, ...rest)
  }

  // node:http does not call `write` for the body in `end`.
  override end(chunk?: unknown, ...rest: never[]): this {
    this.#count(chunk, rest[0])
    return super.end(chunk, ...rest)
  }

  #count(chunk: unknown, encoding: unknown): void {
    // RFC 9110 6.4.1: these responses have no body, also when the app has one.
    const { statusCode } = this
    if (this.req.method === 'HEAD' || statusCode === 304 || statusCode === 204) return
    if (typeof chunk === 'string') this.#bodyBytes += Buffer.byteLength(chunk, encodingOf(encoding))
    else if (chunk instanceof Uint8Array) this.#bodyBytes += chunk.byteLength
  }

  #merge(statusCode: number, text: string | undefined, given: Head): this {
    if (!this.hasHeader(INSTANCE_ID)) this.setHeader(INSTANCE_ID, this.instanceId)
    if (!this.hasHeader(REQUEST_ID)) this.setHeader(REQUEST_ID, this.requestId)
    return this.#write(statusCode, text, given)
  }

  #write(statusCode: number, text: string | undefined, headers: Head): this {
    return text === undefined
      ? super.writeHead(statusCode, headers)
      : super.writeHead(statusCode, text, headers)
  }
}

/** Returns a copy as `[name, value, name, value, ...]`: the caller can use its object again. */
function rawOf(headers: Head): OutgoingHttpHeader[] {
  if (headers === undefined) return []
  if (Array.isArray(headers)) return Array.isArray(headers[0]) ? headers.flat() : headers.slice()
  const raw: OutgoingHttpHeader[] = []
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    if (value !== undefined) raw.push(name, value)
  }
  return raw
}

function encodingOf(encoding: unknown): BufferEncoding {
  return typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : 'utf8'
}

function hasName(raw: readonly OutgoingHttpHeader[], name: string): boolean {
  for (let at = 0; at < raw.length; at += 2) {
    const each = raw[at]
    if (typeof each !== 'string' || each.length !== name.length) continue
    if (each === name || each.toLowerCase() === name.toLowerCase()) return true
  }
  return false
}
