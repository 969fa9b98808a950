import { FIELD_VALUE, TOKEN } from './characters.ts'
import { ClientError } from './client-error.ts'

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const COLON = 58
const ZERO = 48
const NINE = 57

/** The end of the version, the status, and the space after it: `HTTP/1.1 200 `. */
const STATUS_AT = 9
const REASON_AT = 13
/** Digits of a length that a number represents exactly. */
const MAX_LENGTH_DIGITS = 15

/** The head of a response. Names have their case, and repeated fields stay apart. */
export class ResponseHead {
  statusCode = 0
  reason = ''
  /** `[name, value, name, value, ...]` */
  readonly rawHeaders: string[] = []
  /** The names in lower case: `lowerNames[i]` belongs to `rawHeaders[2 * i]`. */
  readonly lowerNames: string[] = []
  /** The length that the head declares; -1 without one. */
  contentLength = -1
  isChunked = false
  /** Whether a further request can follow, as far as the head decides. */
  isPersistent = true
  /** The seconds of `Keep-Alive: timeout`; -1 without them. */
  keepAliveS = -1

  /** Returns the value of a field, with repeated ones joined. @param name in lower case */
  get(name: string): string | undefined {
    let value: string | undefined
    for (let i = 0; i < this.lowerNames.length; i += 1) {
      if (this.lowerNames[i] !== name) continue
      const next = this.rawHeaders[2 * i + 1] ?? ''
      value = value === undefined ? next : `${value}, ${next}`
    }
    return value
  }

  /** Returns the fields by their names in lower case. Repeated ones are joined. */
  toRecord(): Record<string, string> {
    const record: Record<string, string> = {}
    for (const name of this.lowerNames) record[name] ??= this.get(name) ?? ''
    return record
  }
}

/**
 * Reads the head of a response (RFC 9112), in Latin-1 and with its empty line. It is strict: a bare CR
 * or LF, a folded line, a second or malformed length, and any transfer coding except `chunked` are refused.
 *
 * @throws ClientError `bad_response`
 */
export function parseHead(text: string): ResponseHead {
  const head = new ResponseHead()
  const at = parseStatusLine(text, head)
  parseFields(text, at, head)
  if (head.isChunked && head.contentLength >= 0) {
    throw malformed('it has a length and a transfer coding')
  }
  // RFC 9112 6.1: the framing is faulty.
  if (head.isChunked && text.startsWith('HTTP/1.0')) throw malformed('HTTP/1.0 has no chunks')
  return head
}

/** Returns the place of the first field. */
function parseStatusLine(text: string, head: ResponseHead): number {
  const isCurrent = text.startsWith('HTTP/1.1 ')
  if (!isCurrent && !text.startsWith('HTTP/1.0 ')) throw malformed('it has no HTTP/1 version')
  // RFC 9112 9.3: HTTP/1.0 closes its connections.
  if (!isCurrent) head.isPersistent = false
  for (let i = STATUS_AT; i < STATUS_AT + 3; i += 1) {
    const digit = text.charCodeAt(i)
    if (digit < ZERO || digit > NINE) throw malformed('its status is no number of three digits')
    head.statusCode = head.statusCode * 10 + digit - ZERO
  }
  if (head.statusCode < 100) throw malformed('its status is less than 100')
  if (text.charCodeAt(REASON_AT - 1) !== SPACE) throw malformed('its status line has another form')
  const end = text.indexOf('\r', REASON_AT)
  if (text.indexOf('\n', REASON_AT) !== end + 1)
    throw malformed('its status line has a bare CR or LF')
  head.reason = text.slice(REASON_AT, end)
  return end + 2
}

/**
 * Reads fields up to an empty line.
 * @param text has the empty line, so a loop over characters ends before its end
 */
export function parseFields(text: string, start: number, head: ResponseHead): void {
  const end = text.length - 2
  let at = start
  while (at < end) {
    const nameAt = at
    while (TOKEN[text.charCodeAt(at)] === 1) at += 1
    if (at === nameAt || text.charCodeAt(at) !== COLON) throw malformed('a name is no token')
    const name = text.slice(nameAt, at)
    at += 1
    while (isBlank(text.charCodeAt(at))) at += 1
    const valueAt = at
    while (FIELD_VALUE[text.charCodeAt(at)] === 1) at += 1
    if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF) {
      throw malformed(`the value of ${name} has a control character`)
    }
    let valueEnd = at
    while (valueEnd > valueAt && isBlank(text.charCodeAt(valueEnd - 1))) valueEnd -= 1
    addField(head, name, text.slice(valueAt, valueEnd), valueEnd === at)
    at += 2
  }
  if (at !== end || text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF) {
    throw malformed('its end is no empty line')
  }
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}

/** @param isExact the value has no blank after it, which another reader could take as a part of it */
function addField(head: ResponseHead, name: string, value: string, isExact: boolean): void {
  const lower = name.toLowerCase()
  head.rawHeaders.push(name, value)
  head.lowerNames.push(lower)
  switch (lower) {
    case 'content-length':
      // Two lengths are refused even if they are equal: another reader could take the other one.
      if (head.contentLength >= 0) throw malformed('it has two lengths')
      if (!isExact) throw malformed('its length is no number')
      head.contentLength = parseLength(value)
      break
    case 'transfer-encoding':
      if (head.isChunked || !isExact || value.toLowerCase() !== 'chunked') {
        throw malformed('its transfer coding is not chunked')
      }
      head.isChunked = true
      break
    case 'connection':
      if (value !== 'keep-alive' && hasClose(value)) head.isPersistent = false
      break
    case 'keep-alive':
      head.keepAliveS = Number(/(?:^|[\s,;])timeout=(\d{1,9})/i.exec(value)?.[1] ?? -1)
      break
    default:
  }
}

function parseLength(value: string): number {
  if (value.length === 0 || value.length > MAX_LENGTH_DIGITS)
    throw malformed('its length is no number')
  let length = 0
  for (let i = 0; i < value.length; i += 1) {
    const digit = value.charCodeAt(i)
    if (digit < ZERO || digit > NINE) throw malformed('its length is no number')
    length = length * 10 + digit - ZERO
  }
  return length
}

function hasClose(connection: string): boolean {
  return connection.split(',').some((option) => option.trim().toLowerCase() === 'close')
}

export function malformed(reason: string): ClientError {
  return new ClientError('bad_response', `malformed response: ${reason}`)
}
