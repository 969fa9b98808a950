import { awakeMs, expect, until } from '@repo/testing'
import type { CacheHandler } from 'next/dist/server/lib/cache-handlers/types.d.ts'
import { test } from '../open.fixture.ts'
import { streamOf } from './entries.ts'
import { createNextHandler, type NextCacheHandler } from './next.ts'

function entryOf(text: string, tags: string[] = [], fields: object = {}) {
  return {
    value: streamOf(new TextEncoder().encode(text)),
    tags,
    stale: 300,
    timestamp: performance.timeOrigin + performance.now(),
    expire: 3_600,
    revalidate: 900,
    ...fields,
  }
}

async function textOf(handler: NextCacheHandler, key: string, softTags: string[] = []) {
  const entry = await handler.get(key, softTags)
  return entry && { text: await new Response(entry.value).text(), revalidate: entry.revalidate }
}

const two = test.extend('two', async ({ redisUrl, join }) => {
  const instances = await Promise.all(['web-1', 'web-2'].map((id) => join(redisUrl, id)))
  const handlers: CacheHandler[] = instances.map(({ bus }) => createNextHandler({ bus: () => bus }))
  await Promise.all(handlers.map((handler) => handler.get('none', [])))
  return handlers
})

two(
  'all instances find an entry that one instance stored, and each read has a new stream',
  async ({ two: [a, b] }) => {
    await a!.set('made', Promise.resolve(entryOf('<p>äöü</p>', ['t'])))
    for (let i = 0; i < 3; i += 1) {
      expect(await textOf(a!, 'made')).toEqual({ text: '<p>äöü</p>', revalidate: 900 })
      expect(await textOf(b!, 'made')).toEqual({ text: '<p>äöü</p>', revalidate: 900 })
    }
    expect(await b!.get('made', [])).toMatchObject({ tags: ['t'], stale: 300, expire: 3_600 })
  },
)

two(
  'an entry whose tag web-1 revalidates is invalid on web-2 before the call resolves',
  async ({ two: [a, b] }) => {
    for (let i = 0; i < 20; i += 1) {
      await b!.set('page', Promise.resolve(entryOf(`v${i}`, ['posts'])))
      expect(await textOf(a!, 'page')).toMatchObject({ text: `v${i}` })
      expect(await textOf(b!, 'page')).toMatchObject({ text: `v${i}` })
      await a!.updateTags(['posts'])
      expect(await b!.get('page', [])).toBeUndefined()
      expect(await a!.get('page', [])).toBeUndefined()
    }
  },
)

two(
  'an entry of a path that web-1 revalidates is invalid on web-2, although it has no such tag',
  async ({ two: [a, b] }) => {
    const soft = ['_N_T_/layout', '_N_T_/blog']
    await a!.set('path', Promise.resolve(entryOf('v1')))
    expect(await textOf(b!, 'path', soft)).toMatchObject({ text: 'v1' })
    await a!.updateTags(['_N_T_/blog'])
    expect(await b!.get('path', soft)).toBeUndefined()
    expect(await textOf(b!, 'path', ['_N_T_/other'])).toMatchObject({ text: 'v1' })
  },
)

two(
  'after a revalidation with a profile all instances serve the old entry with revalidate -1 until it expires',
  async ({ two: [a, b] }) => {
    await a!.set('slow', Promise.resolve(entryOf('v1', ['slow'])))
    await textOf(b!, 'slow')
    await a!.updateTags(['slow'], { expire: 1 })
    expect(await textOf(b!, 'slow')).toEqual({ text: 'v1', revalidate: -1 })
    expect(await textOf(a!, 'slow')).toEqual({ text: 'v1', revalidate: -1 })
    await until(async () => (await b!.get('slow', [])) === undefined)
    expect(await a!.get('slow', [])).toBeUndefined()
    await a!.set('slow', Promise.resolve(entryOf('v2', ['slow'])))
    expect(await textOf(b!, 'slow')).toEqual({ text: 'v2', revalidate: 900 })
  },
)

const three = test.extend('three', async ({ redisUrl, join }) => {
  const instances = await Promise.all(['web-1', 'web-2', 'web-3'].map((id) => join(redisUrl, id)))
  const handlers = instances.map(({ bus }) => createNextHandler({ bus: () => bus }))
  await Promise.all(handlers.map((handler) => handler.get('none', [])))
  return handlers
})

three(
  'after a revalidation with a profile, web-1 and web-3 serve the entry that web-2 renewed',
  async ({ three: [a, b, c] }) => {
    for (let round = 0; round < 20; round += 1) {
      const key = `renewed-${round}`
      await a!.set(key, Promise.resolve(entryOf('v1', ['posts'])))
      for (const each of [a, b, c]) expect(await textOf(each!, key)).toMatchObject({ text: 'v1' })
      await a!.updateTags(['posts'], { expire: 3_600 })
      expect(await textOf(c!, key)).toEqual({ text: 'v1', revalidate: -1 })
      await b!.set(key, Promise.resolve(entryOf('v2', ['posts'])))
      for (const each of [a, b, c]) {
        expect(await textOf(each!, key)).toEqual({ text: 'v2', revalidate: 900 })
      }
    }
  },
)

three(
  'an entry older than its revalidate time is replaced by the entry that another instance renewed',
  async ({ three: [a, b, c] }) => {
    await a!.set('aged', Promise.resolve(entryOf('v1', [], { revalidate: 0 })))
    for (const each of [a, b, c]) expect(await textOf(each!, 'aged')).toMatchObject({ text: 'v1' })
    await b!.set('aged', Promise.resolve(entryOf('v2', [], { revalidate: 0 })))
    for (const each of [a, b, c]) expect(await textOf(each!, 'aged')).toMatchObject({ text: 'v2' })
  },
)

test('an entry that is due for renewal is served while Redis hangs', async ({
  ownValkey,
  join,
}) => {
  const { bus } = await join(ownValkey.url, 'web-1')
  const errors: unknown[] = []
  const handler = createNextHandler({ bus: () => bus, onError: (error) => void errors.push(error) })
  await handler.get('none', [])
  await handler.set('page', Promise.resolve(entryOf('v1', [], { revalidate: 0 })))
  expect(await textOf(handler, 'page')).toMatchObject({ text: 'v1' })
  await ownValkey.pause()
  expect(await textOf(handler, 'page')).toMatchObject({ text: 'v1' })
  expect(errors).toHaveLength(1)
  ownValkey.resume()
})

two(
  'an entry whose tag is revalidated during its render is not stored',
  async ({ two: [a, b] }) => {
    const making = Promise.withResolvers<ReturnType<typeof entryOf>>()
    const begun = entryOf('old', ['raced'])
    const storing = a!.set('raced', making.promise)
    await b!.updateTags(['raced'])
    making.resolve(begun)
    await storing
    expect(await a!.get('raced', [])).toBeUndefined()
    expect(await b!.get('raced', [])).toBeUndefined()
  },
)

two('a read waits for an entry that is being stored', async ({ two: [a] }) => {
  const making = Promise.withResolvers<ReturnType<typeof entryOf>>()
  const storing = a!.set('pending', making.promise)
  const reading = textOf(a!, 'pending')
  making.resolve(entryOf('there'))
  expect(await reading).toMatchObject({ text: 'there' })
  await storing
})

two('an interrupted entry and a dynamic entry are not stored', async ({ two: [a] }) => {
  const broken = new ReadableStream({
    start: (controller) => controller.error(new Error('interrupted')),
  })
  await a!.set('broken', Promise.resolve(entryOf('', [], { value: broken })))
  await a!.set('dynamic', Promise.resolve(entryOf('x', [], { expire: 0 })))
  expect(await a!.get('broken', [])).toBeUndefined()
  expect(await a!.get('dynamic', [])).toBeUndefined()
})

test('while Redis hangs a read is a miss, a write is lost, and updateTags rejects', async ({
  ownValkey,
  join,
}) => {
  const { bus } = await join(ownValkey.url, 'web-1')
  const errors: unknown[] = []
  const handler = createNextHandler({ bus: () => bus, onError: (error) => void errors.push(error) })
  await handler.set('page', Promise.resolve(entryOf('v1', ['posts'])))
  await ownValkey.pause()
  await until(() => bus.health().leaseMsLeft === 0)
  const startedAtMs = awakeMs()
  expect(await handler.get('page', [])).toBeUndefined()
  await handler.set('page', Promise.resolve(entryOf('v2')))
  await expect(handler.updateTags(['posts'])).rejects.toMatchObject({ name: 'CacheError' })
  expect(awakeMs() - startedAtMs).toBeLessThan(2_000)
  expect(errors).toHaveLength(2)
  ownValkey.resume()
})
