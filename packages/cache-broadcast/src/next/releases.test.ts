import { expect } from '@repo/testing'
import { type Instance, test } from '../open.fixture.ts'
import { createNextHandler, type NextCacheHandler } from './next.ts'

/** As commit ed408d6 writes an entry; its body is `hello`. */
const BEFORE = {
  tags: ['t1'],
  stale: 300,
  timestamp: 0,
  expire: 3_600,
  revalidate: 900,
  body: 'aGVsbG8=',
}

const { expire, ...withoutExpire } = BEFORE

/** Entries of other releases, and whether this release serves them. Otherwise it renders the page. */
const ENTRIES: [name: string, isServed: boolean, stored: unknown, header?: string][] = [
  ['of the release before', true, BEFORE],
  ['with a field that this release does not have', true, { ...BEFORE, compression: 'none' }],
  ['with a field renamed', false, { ...withoutExpire, expireSeconds: expire }],
  ['with a time as a text', false, { ...BEFORE, expire: 'never' }],
  ['with a time below 0', false, { ...BEFORE, revalidate: -5 }],
  ['with its body in parts', false, { ...BEFORE, body: ['aGVs', 'bG8='] }],
  ['that is no object', false, 'hello'],
  ['of another kind', false, BEFORE, 'W'],
  ['with tags in another encoding', false, BEFORE, '%'],
]

async function store({ redis }: Instance, stored: unknown, header = 'T') {
  const n = String(await redis.client.hget('threefold:{shared}:bus-test:meta', 'n'))
  const kind = header === '%' ? 'T' : header
  const tags = header === '%' ? '000002%%' : '000002t1'
  const text = JSON.stringify(
    typeof stored === 'object' ? { ...stored, timestamp: Date.now() } : stored,
  )
  const value = `${kind}${n.padStart(16, '0')}9999999999999${tags}${text}`
  await redis.client.set('threefold:{shared}:bus-test:value:next:page:v', value, 'PX', 60_000)
}

async function textOf(handler: NextCacheHandler) {
  const entry = await handler.get('page', [])
  return entry && (await new Response(entry.value).text())
}

test.for(ENTRIES)(
  'an entry of Next %s is served: %s, and is a miss at worst',
  async (entry, { redisUrl, join }) => {
    const [, isServed, stored, header] = entry
    const web = await join(redisUrl, 'web-1')
    const errors: unknown[] = []
    const handler = createNextHandler({
      bus: () => web.bus,
      onError: (error) => errors.push(error),
    })
    await handler.get('none', [])
    await store(web, stored, header)
    expect(await textOf(handler)).toBe(isServed ? 'hello' : undefined)
    expect(errors).toEqual([])
    // Its tag ends it, also if another release wrote it.
    await handler.updateTags(['t1'])
    expect(await textOf(handler)).toBeUndefined()
  },
)
