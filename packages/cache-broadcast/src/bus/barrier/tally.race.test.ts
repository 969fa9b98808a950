import path from 'node:path'
import { contend, copyMutant, type Edit, expect, until } from '@repo/testing'
import type { Redis } from 'ioredis'
import type { createBus } from '../../index.ts'
import { busKeys } from '../keys.ts'
import { isJoined, maxStaleMs, type Scene, scenes } from './scene.fixture.ts'

const { log, meta, members, news, answers } = busKeys('test')
const TALLY = `${meta.slice(0, -'meta'.length)}tally`

/** A barrier of A while C is unreachable, in which `lose` runs after A and B have applied the entry. */
async function cutOff({ a, b, proxy }: Scene, lose: () => Promise<unknown>) {
  proxy.halfOpen()
  const { lastN } = b.bus.health()
  const delivering = a.bus.invalidate('cache', 'key', { wait: 'everywhere' })
  await until(() => b.bus.health().lastN > lastN, { everyMs: 1 })
  await lose()
  const delivery = await delivering
  await proxy.heal()
  return delivery
}

/** A barrier of A while C is unreachable, after A and B have joined a tally that was deleted. */
async function loseTally({ a, b, proxy, admin }: Scene) {
  const born = await admin.hget(meta, 'born')
  proxy.halfOpen()
  const listed = await admin.zrange(members, '0', '-1')
  const unreachable = listed.find((registration) => registration.includes(':c~')) ?? ''
  await admin.zadd(members, 'XX', Date.now() + 60_000, unreachable)
  await admin.del(TALLY)
  await until(async () => (await admin.hget(meta, 'born')) !== born, { everyMs: 1 })
  await until(() => [a, b].every(({ bus }) => bus.link.lease.lapses > 1), { everyMs: 1 })
  const delivery = await a.bus.emit('work', 1, { wait: 'everywhere' })
  await proxy.heal()
  return delivery
}

/** A handler of C fails while C is unreachable. */
async function failUnreachable({ a, c, proxy }: Scene) {
  const begun = Promise.withResolvers<void>()
  const work = Promise.withResolvers<void>()
  c.bus.on('work', () => {
    begun.resolve()
    return work.promise
  })
  const delivering = a.bus.emit('work', 1, { wait: 'everywhere' })
  await begun.promise
  await proxy.cut()
  work.reject(new Error('cannot'))
  await until(() => c.bus.health().leaseMsLeft === 0)
  await proxy.heal()
  return delivering
}

/** A handler of A fails while C, which waits for it, is unreachable. */
async function failUnheard({ a, c, proxy }: Scene) {
  const begun = Promise.withResolvers<void>()
  const work = Promise.withResolvers<void>()
  a.bus.on('work', () => {
    begun.resolve()
    return work.promise
  })
  const { lastN } = c.bus.health()
  const delivering = c.bus.emit('work', 1, { wait: 'everywhere' })
  await begun.promise
  await until(() => c.bus.health().lastN > lastN, { everyMs: 1 })
  await proxy.cut()
  work.reject(new Error('cannot'))
  await until(() => c.bus.health().leaseMsLeft === 0)
  await proxy.heal()
  return delivering
}

/** C misses an event of A for ever. */
async function missForEver({ a, b, proxy, admin }: Scene) {
  await proxy.cut()
  const { lastN } = b.bus.health()
  const delivering = a.bus.emit('work', 1, { wait: 'everywhere' })
  await until(() => b.bus.health().lastN > lastN, { everyMs: 1 })
  await admin.xtrim(log, 'MAXLEN', 0)
  await proxy.heal()
  return delivering
}

/** The state that a sender leaves that ended before it published its entries. */
async function appendUnpublished({ admin }: Scene) {
  const append = `
    for i = 1, 3 do
      local n = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'n', 1))
      if i == 1 then redis.call('HSET', KEYS[1], 'deferred', n) end
      local event = '["z~2-1.t1",0,{"kind":"event","event":"count","data":' .. i .. '}]'
      redis.call('XADD', KEYS[2], n .. '-0', 'd', event)
    end
  `
  await admin.eval(append, 2, meta, log)
}

async function publishLate(scene: Scene) {
  const { a, b, c } = scene
  const all = [a, b, c]
  const seen = all.map(({ bus }) => {
    const events: unknown[] = []
    bus.on('count', (data) => void events.push(data))
    return events
  })
  await appendUnpublished(scene)
  await until(() => seen.every(({ length }) => length === 3))
  await a.bus.emit('count', 4)
  await until(() => seen.every(({ length }) => length === 4))
  await until(() => all.every(({ bus }) => bus.health().leaseMsLeft > 0))
  return { seen, lapses: all.map(({ bus }) => bus.link.lease.lapses) }
}

const LOSSES: [title: string, lose: (admin: Redis) => Promise<unknown>][] = [
  ['nothing is lost', async () => undefined],
  ['Redis is emptied', (admin) => admin.flushall()],
  ['the tally is deleted', (admin) => admin.del(TALLY)],
]

scenes.for(LOSSES)(
  'I1: a barrier does not count an unreachable member as one that applied its entry when %s',
  async ([, lose], { scene }) => {
    const all = await scene()
    const delivery = await cutOff(all, () => lose(all.admin))
    expect(delivery).toMatchObject({ outcome: 'everywhere', lapsed: expect.arrayContaining(['c']) })
    expect(delivery).not.toMatchObject({ acked: expect.arrayContaining(['c']) })
    await until(() => isJoined(all.a.bus, 3))
  },
)

scenes(
  'after the tally is deleted, a member that is unreachable is not counted as one that applied later entries',
  async ({ scene }) => {
    const all = await scene()
    const delivery = await loseTally(all)
    expect(delivery).toMatchObject({ outcome: 'everywhere', lapsed: ['c'] })
    expect(delivery).toMatchObject({ acked: expect.not.arrayContaining(['c']) })
    await until(() => isJoined(all.a.bus, 3))
  },
)

scenes(
  'a failed handler is reported as failed, though its first report is lost',
  async ({ scene }) => {
    const delivery = await failUnreachable(await scene())
    expect(delivery).toMatchObject({ outcome: 'everywhere', failed: ['c'], lapsed: [] })
  },
)

scenes(
  'a failed handler is not reported as one that succeeded to a sender that was unreachable',
  async ({ scene }) => {
    const delivery = await failUnheard(await scene())
    expect(delivery).toMatchObject({ lapsed: expect.arrayContaining(['a']) })
  },
)

scenes(
  'a member that missed an event for ever is not reported as one that applied it',
  async ({ scene }) => {
    const all = await scene()
    const delivery = await missForEver(all)
    expect(delivery).toMatchObject({ outcome: 'everywhere', failed: [], lapsed: ['c'] })
    await until(() => isJoined(all.a.bus, 3))
  },
)

scenes(
  'entries whose sender ends before it publishes them are applied, and cost no lease when they are published late',
  async ({ scene }) => {
    const { seen, lapses } = await publishLate(await scene())
    expect(seen).toEqual([0, 1, 2].map(() => [1, 2, 3, 4]))
    expect(lapses).toEqual([1, 1, 1])
  },
)

scenes('a handler that hangs holds up no barrier of others', async ({ scene }) => {
  const { a, b, c } = await scene()
  const begun = Promise.withResolvers<void>()
  c.bus.on('hang', () => {
    begun.resolve()
    return new Promise(() => undefined)
  })
  const hanging = a.bus.emit('hang', 1, { wait: 'everywhere' })
  await begun.promise
  const others = await contend(40, (i) => [a, b][i % 2]!.bus.emit('x', i, { wait: 'everywhere' }))
  for (const other of others) {
    expect(other).toMatchObject({ value: { outcome: 'everywhere', lapsed: [], failed: [] } })
    expect(other).toMatchObject({ value: { acked: expect.arrayContaining(['a', 'b', 'c']) } })
  }
  expect(await hanging).toMatchObject({ failed: ['c'], lapsed: [] })
})

scenes(
  'a member whose registration is over holds up no barrier until it joins again',
  async ({ scene }) => {
    const { a, proxy } = await scene()
    proxy.halfOpen()
    await until(() => isJoined(a.bus, 2))
    await proxy.heal()
    await until(() => isJoined(a.bus, 3))
  },
)

scenes(
  '3,000 barriers from three instances, which are published in groups, are applied by all in one order',
  async ({ scene }) => {
    const { a, b, c, admin } = await scene()
    const all = [a, b, c]
    const seen = all.map(({ bus }) => {
      const events: unknown[] = []
      bus.on('count', (data) => void events.push(data))
      return events
    })
    let largest = 0
    for (let round = 0; round < 50; round += 1) {
      const sent = contend(60, (i) => {
        return all[i % 3]!.bus.emit('count', round * 60 + i, { wait: 'everywhere' })
      })
      largest = Math.max(largest, Number(await admin.hget(meta, 'group')))
      for (const result of await sent) {
        expect(result).toMatchObject({ value: { outcome: 'everywhere', lapsed: [], failed: [] } })
      }
    }
    expect(new Set(seen[0])).toHaveLength(3_000)
    expect(seen[1]).toEqual(seen[0])
    expect(seen[2]).toEqual(seen[0])
    expect(largest).toBeGreaterThan(1)
    expect(all.map(({ bus }) => bus.health().resyncs)).toEqual([0, 0, 0])
    expect(all.map(({ bus }) => bus.link.lease.lapses)).toEqual([1, 1, 1])
  },
)

scenes(
  'a member of the release before receives each entry in its order, and is waited for',
  async ({ scene }) => {
    const { a, b, c, admin } = await scene()
    const before = admin.duplicate()
    const member = 'before~2-ab'
    const numbers: number[] = []
    let confirms = true
    const unconfirmed: string[] = []
    const confirm = (origin: string) => {
      const sender = origin.slice(0, origin.lastIndexOf('.'))
      return admin.spublish(answers(sender), JSON.stringify([origin, member, true]))
    }
    const received: string[] = []
    before.on('smessage', (channel: string, text: string) => {
      if (channel !== news) return void received.push(text)
      const space = text.indexOf(' ')
      numbers.push(Number(text.slice(0, space)))
      const [origin, ack]: [string, number] = JSON.parse(text.slice(space + 1))
      if (ack === 0) return
      if (confirms) void confirm(origin)
      else unconfirmed.push(origin)
    })
    await before.ssubscribe(news, answers(member))
    await admin.zadd(members, Date.now() + 60_000, `${maxStaleMs}:${member}`)

    const results = await contend(60, (i) => a.bus.emit('x', i, { wait: 'everywhere' }))
    for (const result of results) {
      expect(result).toMatchObject({ value: { lapsed: [], failed: [] } })
      expect(result).toMatchObject({ value: { acked: expect.arrayContaining(['before', 'c']) } })
    }
    expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i))

    // A message of a later release on this channel is no answer, and ends no lease.
    for (const registration of await admin.zrange(members, '0', '-1')) {
      if (!registration.startsWith('+')) continue
      const channel = answers(registration.slice(registration.indexOf(':') + 1))
      for (const text of ['', 'x', '{}', '9999999999999999 1 {', '[1']) {
        await admin.spublish(channel, text)
      }
    }
    confirms = false
    let isResolved = false
    const delivering = a.bus.emit('x', 1, { wait: 'everywhere' })
    void delivering.finally(() => (isResolved = true))
    await until(() => unconfirmed.length === 1)
    await a.bus.emit('y', 1)
    expect(isResolved).toBe(false)
    await confirm(unconfirmed[0]!)
    expect(await delivering).toMatchObject({ lapsed: [] })
    expect([a, b, c].map(({ bus }) => bus.link.lease.lapses)).toEqual([1, 1, 1])

    // As a sender, it receives an answer from each.
    const n = await admin.hincrby(meta, 'n', 1)
    const entry = JSON.stringify([`${member}.1`, 1, { kind: 'clear', cache: 'x' }])
    await admin.xadd(log, `${n}-0`, 'd', entry)
    await admin.spublish(news, `${n} ${entry}`)
    await until(() => received.length === 3)
    before.disconnect()
  },
)

type Play = (scene: Scene) => Promise<unknown>

const MUTANTS: [mutant: string, edits: Edit[], play: Play, harm: object][] = [
  [
    'positions are noted before entries are applied',
    [
      [
        'bus/barrier/acks.ts',
        'notedThrough = options.last()',
        'notedThrough = options.last() + 10',
      ],
    ],
    (scene) => cutOff(scene, async () => undefined),
    { acked: expect.arrayContaining(['c']) },
  ],
  [
    'positions of any list count',
    [['bus/barrier/barriers.ts', 'tally?.born !== born', '!tally']],
    (scene) => cutOff(scene, () => scene.admin.flushall()),
    { acked: expect.arrayContaining(['c']) },
  ],
  [
    'a tally that was lost is not noticed',
    [
      ['bus/log/member-scripts.ts', 'if not position and (wasListed or', 'if false and ('],
      ['bus/barrier/tally.ts', "'XX', ", ''],
    ],
    (scene) => cutOff(scene, () => scene.admin.del(TALLY)),
    { acked: expect.arrayContaining(['c']) },
  ],
  [
    'members that are not in a new tally count as applied',
    [['bus/log/member-scripts.ts', "redis.call('ZADD', tally, 'NX', 0, member)", '']],
    loseTally,
    { acked: expect.arrayContaining(['c']) },
  ],
  [
    'failures are reported once',
    [['bus/barrier/acks.ts', 'failing.set(n, origin)', '']],
    failUnreachable,
    { acked: expect.arrayContaining(['c']) },
  ],
  [
    'reports that may be lost are not missed',
    [['bus/bus.ts', 'barriers.interrupted()', '']],
    failUnheard,
    { acked: expect.arrayContaining(['a']) },
  ],
  [
    'entries that were missed count as applied',
    [
      [
        'bus/barrier/acks.ts',
        'missedAfter = Math.min(notedThrough, missedAfter ?? notedThrough)',
        '',
      ],
      ['bus/log/member-scripts.ts', 'if noted and not isSure and', 'if false and'],
    ],
    missForEver,
    { acked: expect.arrayContaining(['c']) },
  ],
  [
    'an entry that is published late is read as another entry',
    [['bus/log/tail.ts', 'if (early.has(entry)) return', '']],
    async (scene) => {
      const { lapses } = await publishLate(scene)
      return { isLapsed: lapses.some((count) => count > 1) }
    },
    { isLapsed: true },
  ],
]

scenes.for(MUTANTS)('the mutant "%s" is caught', async ([mutant, edits, play, harm], { scene }) => {
  const { source, remove } = await copyMutant(
    path.join(import.meta.dirname, '../..'),
    mutant,
    edits,
  )
  try {
    const library: { createBus: typeof createBus } = await import(source)
    expect(await play(await scene(library.createBus))).toMatchObject(harm)
  } finally {
    await remove()
  }
})
