import { IdempotencyError } from './errors.ts'
import { storableHeaders } from './response.ts'
import type { Seal } from './seal.ts'
import type { StoredResponse } from './types.ts'

/**
 * A record is: 1 byte format, 1 byte flags, 2 bytes status, 4 bytes length of the headers (big-endian),
 * the headers as a JSON list of names and values, and the bytes of the body. A sealed record has the
 * format of `seal.ts`, and contains such a record.
 */
const PLAIN = 1
const SEALED = 2
const HEAD_BYTES = 8
const BODY_OMITTED = 1

/** Converts responses to the records that a store has. */
export interface RecordCodec {
  encode(claimId: string, response: StoredResponse): Buffer
  /** @throws IdempotencyError `unknown-format`, `unreadable` */
  decode(claimId: string, record: Uint8Array): StoredResponse
  encodeStep(claimId: string, step: string, json: string): string
  /** @throws IdempotencyError `unreadable` */
  decodeStep(claimId: string, step: string, stored: string): string
}

export function createRecordCodec(maxBytes: number, seal: Seal | undefined): RecordCodec {
  return {
    encode(claimId, response) {
      const record = encodeRecord(response, maxBytes)
      return seal ? seal.seal(claimId, record) : record
    },
    decode(claimId, record) {
      if (record[0] !== SEALED) {
        const isRefused = record[0] === PLAIN && seal && !seal.isUnsealedAllowed
        if (isRefused) throw unreadable('it is not sealed')
        return decodeRecord(record)
      }
      if (!seal) throw unreadable('it is sealed, and this instance has no keys')
      return decodeRecord(seal.open(claimId, record))
    },
    encodeStep(claimId, step, json) {
      if (!seal) return `[${json}]`
      const sealed = seal.seal(stepContext(claimId, step), Buffer.from(json))
      return JSON.stringify({ sealed: sealed.toString('base64') })
    },
    decodeStep(claimId, step, stored) {
      const parsed = parseStep(stored)
      if (Array.isArray(parsed)) {
        if (seal && !seal.isUnsealedAllowed) throw unreadable('it is not sealed')
        return JSON.stringify(parsed[0])
      }
      if (!seal) throw unreadable('it is sealed, and this instance has no keys')
      const sealed = Buffer.from(parsed.sealed, 'base64')
      return seal.open(stepContext(claimId, step), sealed).toString()
    },
  }
}

/** The result of a step is stored as `[result]`, or as `{"sealed": "..."}` in base64. */
function parseStep(stored: string): [unknown] | { sealed: string } {
  let parsed: unknown
  try {
    parsed = JSON.parse(stored)
  } catch (cause) {
    throw unreadable('the result of a step is damaged', cause)
  }
  if (Array.isArray(parsed) && parsed.length === 1) return [parsed[0]]
  if (typeof parsed === 'object' && parsed !== null && 'sealed' in parsed) {
    if (typeof parsed.sealed === 'string') return { sealed: parsed.sealed }
  }
  throw unreadable('the result of a step is damaged')
}

function stepContext(claimId: string, step: string): string {
  return `${claimId}:${step}`
}

/** Encodes a response. A body above `maxBytes` is left out, and the record states this. */
export function encodeRecord(response: StoredResponse, maxBytes: number): Buffer {
  const { status, headers, body, isBodyOmitted = body.length > maxBytes } = response
  const text = JSON.stringify(storableHeaders(headers))
  const headerBytes = Buffer.byteLength(text)
  const bodyBytes = isBodyOmitted ? 0 : body.length
  const record = Buffer.allocUnsafe(HEAD_BYTES + headerBytes + bodyBytes)
  record[0] = PLAIN
  record[1] = isBodyOmitted ? BODY_OMITTED : 0
  record.writeUInt16BE(status, 2)
  record.writeUInt32BE(headerBytes, 4)
  record.write(text, HEAD_BYTES)
  if (!isBodyOmitted) record.set(body, HEAD_BYTES + headerBytes)
  return record
}

/** @throws IdempotencyError `unknown-format`, `unreadable` */
export function decodeRecord(bytes: Uint8Array): StoredResponse {
  if (bytes[0] !== PLAIN) {
    const message = `the record has another format than ${PLAIN}, ${SEALED}: its first byte is ${bytes[0]}`
    throw new IdempotencyError('unknown-format', message)
  }
  if (bytes.length < HEAD_BYTES) throw unreadable('it is cut off')
  const record = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const bodyAt = HEAD_BYTES + record.readUInt32BE(4)
  if (bodyAt > record.length) throw unreadable('it is cut off')
  const headers = parseHeaders(record.toString('utf8', HEAD_BYTES, bodyAt))
  const response = { status: record.readUInt16BE(2), headers, body: record.subarray(bodyAt) }
  return record[1] === BODY_OMITTED ? { ...response, isBodyOmitted: true } : response
}

function parseHeaders(text: string): string[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw unreadable('its headers are damaged', cause)
  }
  if (Array.isArray(parsed) && parsed.every((part) => typeof part === 'string')) return parsed
  throw unreadable('its headers are damaged')
}

function unreadable(why: string, cause?: unknown): IdempotencyError {
  return new IdempotencyError('unreadable', `the record cannot be read: ${why}`, { cause })
}
