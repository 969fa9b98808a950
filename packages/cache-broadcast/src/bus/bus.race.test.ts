import { awakeMs, contend, expect, until } from '@repo/testing'
import { Redis } from 'ioredis'
import { test } from '../open.fixture.ts'
import { appendEntry } from './append.fixture.ts'
import { busKeys } from './keys.ts'

const { log: LOG, meta: META, news: NEWS } = busKeys('test')

const nothing = () => undefined

/** An entry as another instance would write it. */
function event(data: number): string {
  return JSON.stringify(['z~1.1', 0, { kind: 'event', event: 'count', data }])
}

test('300 concurrent events from three instances are applied by all three in one order', async ({
  ownValkey,
  join,
}) => {
  // Hundreds of calls at once on a busy machine are not what a deadline is for.
  const open = (id: string) => join(ownValkey.url, id, { deadlineMs: 5_000 })
  const three = await Promise.all(['a', 'b', 'c'].map(open))
  const seen = three.map(({ bus }) => {
    const heard: unknown[] = []
    bus.on('count', (data) => void heard.push(data))
    return heard
  })
  await contend(300, (i) => three[i % 3]!.bus.emit('count', i))
  await until(() => seen.every((events) => events.length === 300))
  expect(new Set(seen[0])).toHaveLength(300)
  expect(seen[1]).toEqual(seen[0])
  expect(seen[2]).toEqual(seen[0])
})

test('a barrier resolves when each handler has settled, and lists the instances that succeeded', async ({
  ownValkey,
  join,
}) => {
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((id) => join(ownValkey.url, id)))
  const done: string[] = []
  const begun = Promise.withResolvers<void>()
  const work = Promise.withResolvers<void>()
  b!.bus.on('work', async () => {
    begun.resolve()
    await work.promise
    done.push('b')
  })
  c!.bus.on('work', () => {
    throw new Error('cannot')
  })
  let resolved = false
  const delivering = a!.bus.emit('work', 1, { wait: 'everywhere' }).finally(() => (resolved = true))
  await begun.promise
  // A whole way there and back, in which all but b have answered.
  await a!.bus.emit('other', 1)
  expect(resolved).toBe(false)
  work.resolve()
  const delivery = await delivering
  expect(done).toEqual(['b'])
  expect(delivery).toMatchObject({ outcome: 'everywhere', failed: ['c'], lapsed: [] })
  expect(delivery.outcome === 'everywhere' && delivery.acked.toSorted()).toEqual(['a', 'b'])
})

test('an instance that receives a message answers it, although its connection for commands is still lost', async ({
  ownValkey,
  join,
}) => {
  const [a, b] = await Promise.all(['a', 'b'].map((id) => join(ownValkey.url, id)))
  b!.redis.client.disconnect()
  await until(() => b!.redis.client.status === 'end')
  const delivery = await a!.bus.emit('ping', 1, { wait: 'everywhere' })
  expect(delivery).toMatchObject({ outcome: 'everywhere', lapsed: [] })
  expect(delivery.outcome === 'everywhere' && delivery.acked.toSorted()).toEqual(['a', 'b'])
})

test('a barrier waits for an instance that is cut off until its lease has ended, and it then serves nothing from memory', async ({
  ownValkey,
  join,
  tcpProxy,
}) => {
  const proxy = await tcpProxy({ target: ownValkey.url })
  const a = await join(ownValkey.url, 'a')
  const b = await join(proxy.url, 'b')
  // Past the time in which the list of members may be incomplete.
  await until(async () => {
    const delivery = await a.bus.emit('ping', 1, { wait: 'everywhere' })
    return delivery.outcome === 'everywhere' && delivery.ms < 250 && delivery.acked.length === 2
  })
  proxy.halfOpen()
  const delivery = await a.bus.emit('ping', 2, { wait: 'everywhere' })
  expect(delivery).toMatchObject({ acked: ['a'], lapsed: ['b'] })
  expect(b.bus.health().leaseMsLeft).toBe(0)
  await proxy.heal()
  await until(() => b.bus.health().leaseMsLeft > 0)
  expect(b.bus.health().resyncs).toBe(0)
})

test('a barrier does not wait for an instance that has left the bus', async ({
  ownValkey,
  join,
}) => {
  const [a, b] = await Promise.all(['a', 'b'].map((id) => join(ownValkey.url, id)))
  await until(async () => {
    const delivery = await a!.bus.emit('ping', 1, { wait: 'everywhere' })
    return delivery.outcome === 'everywhere' && delivery.ms < 250
  })
  await b!.bus.close()
  const delivery = await a!.bus.emit('ping', 2, { wait: 'everywhere' })
  expect(delivery).toMatchObject({ acked: ['a'], lapsed: [] })
})

test('I4: after a lost connection an instance applies exactly the entries that it missed', async ({
  ownValkey,
  join,
  tcpProxy,
}) => {
  const proxy = await tcpProxy({ target: ownValkey.url })
  const a = await join(ownValkey.url, 'a')
  const b = await join(proxy.url, 'b')
  const heard: unknown[] = []
  b.bus.on('count', (data) => void heard.push(data))
  await proxy.cut()
  for (let i = 0; i < 600; i += 1) await a.bus.emit('count', i)
  await proxy.heal()
  await until(() => heard.length === 600)
  expect(heard).toEqual(Array.from({ length: 600 }, (_, i) => i))
  expect(b.bus.health()).toMatchObject({ resyncs: 0, behind: 0 })
})

test.for([
  ['the log was trimmed', (redis: Redis) => redis.xtrim(LOG, 'MAXLEN', 0)],
  ['Redis was emptied', (redis: Redis) => redis.flushall()],
  ['the log was deleted', (redis: Redis) => redis.del(LOG)],
] as const)(
  'I4: an instance calls onResync after a lost connection in which %s',
  async ([, lose], { ownValkey, join, tcpProxy }) => {
    const proxy = await tcpProxy({ target: ownValkey.url })
    const a = await join(ownValkey.url, 'a')
    const b = await join(proxy.url, 'b')
    let resyncs = 0
    b.bus.on('count', () => undefined, { onResync: () => void (resyncs += 1) })
    await a.bus.emit('count', 1)
    await until(() => b.bus.health().lastN === a.bus.health().lastN)
    await proxy.cut()
    await a.bus.emit('count', 2)
    const admin = new Redis(ownValkey.url)
    await lose(admin)
    admin.disconnect()
    await proxy.heal()
    await until(() => resyncs > 0)
    const heard: unknown[] = []
    b.bus.on('count', (data) => void heard.push(data))
    await until(() => b.bus.health().leaseMsLeft > 0)
    await a.bus.emit('count', 3)
    await until(() => heard.length > 0)
    expect(heard).toEqual([3])
  },
)

test('an entry that a cache cannot apply ends no process: the instance drops all values and continues', async ({
  ownValkey,
  join,
}) => {
  const [a, b] = await Promise.all(['a', 'b'].map((id) => join(ownValkey.url, id)))
  const seen: string[] = []
  b!.bus.link.attach({
    cache: 'broken',
    drop([key]) {
      seen.push(`drop ${key}`)
      if (key === 'first') throw new TypeError('a defect of the cache')
    },
    clear: () => void seen.push('clear'),
    soften: nothing,
    dropTags: nothing,
    softenTags: nothing,
  })
  await a!.bus.invalidate('broken', 'first')
  await until(() => b!.bus.health().resyncs === 1 && b!.bus.health().leaseMsLeft > 0)
  await a!.bus.invalidate('broken', 'second')
  await until(() => seen.includes('drop second'))
  expect(seen).toEqual(['drop first', 'clear', 'drop second'])
})

test('I9: while Redis hangs each call ends within its deadline, and the bus recovers afterwards', async ({
  ownValkey,
  join,
}) => {
  const { bus } = await join(ownValkey.url, 'a')
  await ownValkey.pause()
  const startedAtMs = awakeMs()
  const outcomes = await contend(20, (i) =>
    i % 2 ? bus.emit('x', i, { wait: 'everywhere' }) : bus.invalidate('thing', 'a'),
  )
  expect(awakeMs() - startedAtMs).toBeLessThan(1_000)
  const codes = outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)
  expect(codes.every((code) => code === 'timeout' || code === 'unavailable')).toBe(true)
  await until(() => bus.health().leaseMsLeft === 0)
  ownValkey.resume()
  await until(async () => (await bus.emit('x', 1)).outcome === 'sent')
  await until(() => bus.health().leaseMsLeft > 0)
})

test('each entry of an unknown kind is counted, drops all values once, and is logged once', async ({
  ownValkey,
  join,
}) => {
  const lines: unknown[] = []
  const log = { info: nothing, warn: (fields: object) => void lines.push(fields) }
  const { bus } = await join(ownValkey.url, 'a', { log })
  await bus.emit('x')
  const append = async (payload: string) => {
    const n = await appendEntry(ownValkey.url, payload)
    await until(() => bus.health().lastN === n)
  }
  await append('["z~1.1",0,{"kind":"of-the-future"}]')
  expect(bus.health()).toMatchObject({ resyncs: 1, unknown: 1 })
  await append('["z~1.2",0,{"kind":"of-the-future","keys":[1]}]')
  await append('no JSON')
  expect(bus.health()).toMatchObject({ resyncs: 3, unknown: 3 })
  // An event invalidates nothing, even if it is malformed.
  await append('["z~1.3",0,{"kind":"event","data":1}]')
  expect(bus.health()).toMatchObject({ resyncs: 3, unknown: 4 })
  const logged = lines.map((fields) => Reflect.get(Object(fields), 'kind'))
  expect(logged).toEqual(['of-the-future', 'no message', 'event'])
})

test('I4: a published entry is applied only if it is the next one, and a missing entry is read from the log', async ({
  ownValkey,
  join,
}) => {
  const { bus } = await join(ownValkey.url, 'a')
  const heard: unknown[] = []
  bus.on('count', (data) => void heard.push(data))
  await bus.emit('count', 1)
  await until(() => heard.length === 1)
  const admin = new Redis(ownValkey.url)
  const at = bus.health().lastN
  // From ahead, from the past, and another one of the same number.
  for (const n of [at + 2, at - 1, at]) await admin.spublish(NEWS, `${n} ${event(n)}`)
  for (const text of ['', 'no number', '{']) await admin.spublish(NEWS, text)
  await until(() => bus.health().leaseMsLeft > 0)
  const n = await admin.hincrby(META, 'n', 1)
  await admin.xadd(LOG, `${n}-0`, 'd', event(2))
  admin.disconnect()
  await until(() => heard.length === 2)
  await bus.emit('count', 3)
  await until(() => heard.length === 3)
  expect(heard).toEqual([1, 2, 3])
  expect(bus.health()).toMatchObject({ resyncs: 0, behind: 0, lastN: n + 1 })
})

test('I1: the next read detects that Redis has lost an entry with the log before an instance read it', async ({
  ownValkey,
  join,
}) => {
  const { bus } = await join(ownValkey.url, 'a')
  const admin = new Redis(ownValkey.url)
  // As a server that was emptied between two reads leaves it: numbered on, and nothing there.
  await admin.multi().hincrby(META, 'n', 1).del(LOG).exec()
  admin.disconnect()
  await until(() => bus.health().resyncs === 1)
  await until(() => bus.health().leaseMsLeft > 0)
})
