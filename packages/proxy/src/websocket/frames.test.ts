import { expect, test } from 'vitest'
import { closeFrame, Frames } from './frames.ts'

/** A frame with a payload of this length, as a server or a client writes it. */
function frame(length: number, isMasked: boolean, opcode = 2): Buffer {
  const mask = isMasked ? 128 : 0
  const head = [128 | opcode]
  if (length < 126) head.push(mask | length)
  else if (length < 65_536) head.push(mask | 126, length >> 8, length & 255)
  else head.push(mask | 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255)
  if (isMasked) head.push(1, 2, 3, 4)
  return Buffer.concat([Buffer.from(head), Buffer.alloc(length, 0x88)])
}

for (const isMasked of [true, false]) {
  test(`the end of each frame is found at any split of the bytes, masked: ${isMasked}`, () => {
    const all = [0, 1, 125, 126, 300, 65_535, 65_536, 70_000].map((n) => frame(n, isMasked))
    for (const size of [1, 2, 3, 7, 1_000, 100_000]) {
      const frames = new Frames()
      let ends = 0
      for (let at = 0, bytes = Buffer.concat(all); at < bytes.length;) {
        const chunk = bytes.subarray(at, at + size)
        at += frames.follow(chunk, true)
        if (frames.isBetween) ends += 1
      }
      expect(ends).toBe(all.length)
      expect(frames.hasClose).toBe(false)
    }
  })
}

test('a close frame is detected, and bytes of a payload that look like one are not', () => {
  const frames = new Frames()
  frames.follow(frame(500, false))
  expect(frames.hasClose).toBe(false)
  frames.follow(closeFrame(1_012, true))
  expect(frames).toMatchObject({ hasClose: true, isBetween: true })
})

test('a close frame has its code, and is masked with random bytes to a server', () => {
  expect([...closeFrame(1_012, false)]).toEqual([0x88, 2, 0x03, 0xf4])
  const masked = closeFrame(1_012, true)
  const [mask, payload] = [masked.subarray(2, 6), masked.subarray(6)]
  expect([...payload].map((byte, i) => byte ^ (mask[i] ?? 0))).toEqual([0x03, 0xf4])
  expect(closeFrame(1_012, true)).not.toEqual(masked)
})
