import { expect, test } from '@repo/testing'
import { newRequestId, newSpanId, newTraceId } from './random-ids.ts'

test('20,000 ids of each kind are different and well formed, over many pools of random bytes', () => {
  const kinds = {
    request: [
      newRequestId,
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    ],
    trace: [newTraceId, /^(?!0{32})[0-9a-f]{32}$/],
    span: [newSpanId, /^(?!0{16})[0-9a-f]{16}$/],
  } as const
  for (const [kind, [create, form]] of Object.entries(kinds)) {
    const ids = Array.from({ length: 20_000 }, () => create())
    expect(new Set(ids).size, kind).toBe(20_000)
    expect(ids.filter((id) => !form.test(id))).toEqual([])
  }
})

test('a request id begins with its time in milliseconds', () => {
  const times = [0, 1, 1_700_000_000_000, 1_700_000_000_001, 2 ** 48 - 1]
  for (const time of times) {
    const id = newRequestId(time)
    expect(Number.parseInt(id.slice(0, 13).replace('-', ''), 16)).toBe(time)
  }
})

test('every digit of an id that is not fixed takes every value', () => {
  const ids = Array.from({ length: 2_000 }, () => newRequestId(0).replaceAll('-', ''))
  for (let at = 12; at < 32; at += 1) {
    const values = new Set(ids.map((id) => id[at]))
    expect(values.size, `digit ${at}`).toBe(at === 12 ? 1 : at === 16 ? 4 : 16)
  }
})
