import { randomBytes } from 'node:crypto'
import { expect, test } from '@repo/testing'
import { createRecordCodec, decodeRecord, encodeRecord } from './record.ts'
import { createSeal } from './seal.ts'

const response = { status: 201, headers: ['location', '/é'], body: Buffer.from([0, 255, 34]) }
const [first, second] = [
  { id: '2026-11', secret: randomBytes(32) },
  { id: '2026-12', secret: randomBytes(32) },
]
const codec = (keys?: (typeof first)[], isUnsealedAllowed = false) =>
  createRecordCodec(1_000, keys && createSeal({ keys, isUnsealedAllowed }))

test('a record has the status, the headers and each byte of the body, for random responses', () => {
  for (let i = 0; i < 500; i += 1) {
    const headers = Array.from({ length: 2 * (i % 7) }, (_, at) =>
      at % 2 ? randomBytes(i % 31).toString('latin1') : `x-${at}`,
    )
    const random = { status: 200 + (i % 300), headers, body: randomBytes(i) }
    expect(decodeRecord(encodeRecord(random, 1_000))).toEqual(random)
  }
})

test('a body over the limit is left out of its record, and the record states this', () => {
  const large = { ...response, body: Buffer.alloc(1_001) }
  expect(decodeRecord(encodeRecord(large, 1_000))).toEqual({
    ...response,
    body: Buffer.alloc(0),
    isBodyOmitted: true,
  })
})

test('I9: a record of another format is an unknown format, and no part of a record is read as one', () => {
  const record = encodeRecord(response, 1_000)
  for (const format of [0, 3, 49, 255]) {
    const other = Buffer.concat([Buffer.from([format]), record.subarray(1)])
    for (const reader of [codec(), codec([first])]) {
      expect(() => reader.decode('claim', other)).toThrow(
        expect.objectContaining({ code: 'unknown-format' }),
      )
    }
  }
  expect(() => decodeRecord(Buffer.alloc(0))).toThrow(
    expect.objectContaining({ code: 'unknown-format' }),
  )
  const bodyAt = record.length - response.body.length
  for (let length = 1; length < bodyAt; length += 1) {
    expect(() => decodeRecord(record.subarray(0, length))).toThrow(
      expect.objectContaining({ code: 'unreadable' }),
    )
  }
})

test('a sealed record opens with each key of the ring, and a new record has the first key', () => {
  const record = codec([first]).encode('claim', response)
  expect(record.includes(response.body)).toBe(false)
  expect(record.includes('location')).toBe(false)
  expect(codec([second, first]).decode('claim', record)).toEqual(response)
  const rotated = codec([second, first]).encode('claim', response)
  expect(codec([second]).decode('claim', rotated)).toEqual(response)
})

test('I9: a sealed record of another claim, with another key, without keys or with a changed byte is unreadable', () => {
  const unreadable = expect.objectContaining({ code: 'unreadable' })
  const record = codec([first]).encode('claim', response)
  expect(() => codec([first]).decode('other', record)).toThrow(unreadable)
  expect(() => codec([second]).decode('claim', record)).toThrow(unreadable)
  expect(() => codec().decode('claim', record)).toThrow(unreadable)
  for (let at = 1; at < record.length; at += 1) {
    const changed = Buffer.from(record)
    changed.writeUInt8(record.readUInt8(at) ^ 1, at)
    expect(() => codec([first]).decode('claim', changed), `byte ${at}`).toThrow(unreadable)
    expect(() => codec([first]).decode('claim', record.subarray(0, at))).toThrow(unreadable)
  }
})

test('a record without a seal is refused where records are sealed, unless it is allowed', () => {
  const plain = codec().encode('claim', response)
  expect(() => codec([first]).decode('claim', plain)).toThrow(
    expect.objectContaining({ code: 'unreadable' }),
  )
  expect(codec([first], true).decode('claim', plain)).toEqual(response)
})

test('the result of a step is sealed for its claim and its name', () => {
  const sealed = codec([first]).encodeStep('claim', 'charge', '{"card":"4242"}')
  expect(sealed).not.toContain('4242')
  expect(JSON.parse(sealed)).toEqual({ sealed: expect.any(String) })
  expect(codec([first]).decodeStep('claim', 'charge', sealed)).toBe('{"card":"4242"}')
  const unreadable = expect.objectContaining({ code: 'unreadable' })
  expect(() => codec([first]).decodeStep('claim', 'refund', sealed)).toThrow(unreadable)
  expect(() => codec().decodeStep('claim', 'charge', sealed)).toThrow(unreadable)
  expect(() => codec().decodeStep('claim', 'charge', 'not json')).toThrow(unreadable)
  const plain = codec().encodeStep('claim', 'charge', '{"sealed":"a"}')
  expect(codec().decodeStep('claim', 'charge', plain)).toBe('{"sealed":"a"}')
  expect(() => codec([first]).decodeStep('claim', 'charge', plain)).toThrow(unreadable)
})
