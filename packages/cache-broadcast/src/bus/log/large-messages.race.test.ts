import { contend, expect, until } from '@repo/testing'
import { test } from '../../open.fixture.ts'
import { appendEntry } from '../append.fixture.ts'

const tooLarge = expect.objectContaining({ code: 'too-large' })

test('a message over the limit is refused before anything is sent', async ({ redisUrl, join }) => {
  const { bus } = await join(redisUrl, 'a')
  const { lastN } = bus.health()
  await expect(bus.emit('x', 'y'.repeat(65_536))).rejects.toEqual(tooLarge)
  await expect(bus.emit('x', 'ä'.repeat(32_768), { wait: 'everywhere' })).rejects.toEqual(tooLarge)
  const { n } = await bus.emit('x', 'y'.repeat(65_000))
  expect(n).toBe(lastN + 1)
  const larger = await join(redisUrl, 'b', { maxMessageBytes: 2 ** 20 })
  const seen: unknown[] = []
  bus.on('x', (data) => void seen.push(data))
  await larger.bus.emit('x', 'y'.repeat(1_000_000), { wait: 'everywhere' })
  expect(String(seen[0])).toHaveLength(1_000_000)
})

test('keys and tags of any length are split into messages below the limit', async ({
  redisUrl,
  join,
}) => {
  const { bus } = await join(redisUrl, 'a', { deadlineMs: 2_000, maxStaleMs: 2_000 })
  // A control character takes six bytes in JSON.
  const keys = Array.from({ length: 300 }, (_, i) => `${i}${'\u0001'.repeat(500)}`)
  const tags = Array.from({ length: 300 }, (_, i) => `${i}${'\u0001'.repeat(1_000)}`)
  const everywhere = { outcome: 'everywhere', lapsed: [], failed: [] }
  expect(await bus.invalidate('c', keys, { wait: 'everywhere' })).toMatchObject(everywhere)
  expect(await bus.invalidateTag(tags, { wait: 'everywhere' })).toMatchObject(everywhere)
  const singles = await contend(300, (i) => bus.invalidate('c', keys[i]!))
  expect(singles.filter(({ status }) => status === 'rejected')).toEqual([])
})

test.for([
  ['published and logged', true],
  ['logged only', false],
] as const)(
  'an event of 20 MB of another release, %s, costs no instance its lease or its cached values',
  async ([, publish], { ownValkey, join }) => {
    const open = (id: string) => join(ownValkey.url, id, { maxStaleMs: 10_000, deadlineMs: 5_000 })
    const three = await Promise.all(['a', 'b', 'c'].map(open))
    const resynced: string[] = []
    for (const [i, { bus }] of three.entries()) {
      bus.on('big', () => undefined, { onResync: () => void resynced.push(`${i}`) })
    }
    const event = { kind: 'event', event: 'big', data: 'x'.repeat(20_000_000) }
    const n = await appendEntry(ownValkey.url, JSON.stringify(['z~1.1', 1, event]), { publish })
    await until(() => three.every(({ bus }) => bus.health().lastN >= n))
    const next = await three[0]!.bus.emit('small', 1)
    await until(() => three.every(({ bus }) => bus.health().lastN >= next.n))
    for (const { bus } of three) {
      expect(bus.health()).toMatchObject({ resyncs: 0, unknown: 1, behind: 0 })
      expect(bus.link.lease.lapses).toBe(1)
    }
    // Its handlers never ran.
    expect(resynced.toSorted()).toEqual(['0', '1', '2'])
  },
)

test('600 events of 60 KB at once reach three instances in one order, and no lease ends', async ({
  ownValkey,
  join,
}) => {
  const open = (id: string) => join(ownValkey.url, id, { maxStaleMs: 10_000, deadlineMs: 5_000 })
  const three = await Promise.all(['a', 'b', 'c'].map(open))
  const seen = three.map(({ bus }) => {
    const numbers: number[] = []
    bus.on('medium', (data) => void numbers.push(Number.parseInt(String(data), 10)))
    return numbers
  })
  const text = 'x'.repeat(60_000)
  const sent = await contend(600, (i) => three[i % 3]!.bus.emit('medium', `${i} ${text}`))
  expect(sent.filter(({ status }) => status === 'rejected')).toEqual([])
  await until(() => seen.every((numbers) => numbers.length === 600))
  expect(seen[1]).toEqual(seen[0])
  expect(seen[2]).toEqual(seen[0])
  for (const { bus } of three) {
    expect(bus.health()).toMatchObject({ resyncs: 0, unknown: 0 })
    expect(bus.link.lease.lapses).toBe(1)
  }
})
