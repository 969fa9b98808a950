import { expect, test } from 'vitest'
import { GrowingBuffer } from './growing-buffer.ts'

test('a body that arrives in one part is used without a copy', () => {
  const buffer = new GrowingBuffer(100)
  const part = Buffer.from('whole')
  expect(buffer.bytesToAdd(5)).toBe(5)
  buffer.append(part)
  expect(buffer.bytes()).toBe(part)
})

test('a body of 65536 parts of one byte is whole and occupies 65536 bytes', () => {
  const buffer = new GrowingBuffer(65_536)
  let reserved = 0
  for (let i = 0; i < 65_536; i += 1) {
    reserved += buffer.bytesToAdd(1)
    buffer.append(Buffer.from([i % 251]))
  }
  const bytes = buffer.bytes()
  expect(bytes).toHaveLength(65_536)
  expect(bytes.every((byte, i) => byte === i % 251)).toBe(true)
  expect(bytes.buffer.byteLength).toBe(65_536)
  expect(reserved).toBe(65_536)
})
