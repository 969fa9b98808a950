import { expect, test } from 'vitest'
import type { CacheOptions } from '../cache/options.ts'
import type { Cache } from '../cache/types.ts'

class Point {
  x = 1
  #y = 2
  get y() {
    return this.#y
  }
}

const shared = { a: 1 }
const protoKey: unknown = JSON.parse('{"__proto__":{"admin":true},"b":1}')

/** Values that JSON changes; the second is what every instance serves. */
const CHANGED: [title: string, value: unknown, served: unknown][] = [
  ['a Date', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
  ['undefined in an object', { a: 1, b: undefined }, { a: 1 }],
  ['undefined in an array', [1, undefined], [1, null]],
  ['NaN and Infinity', [Number.NaN, Infinity], [null, null]],
  ['minus zero', [-0], [0]],
  ['a Map', { map: new Map([['a', 1]]) }, { map: {} }],
  ['an instance of a class', new Point(), { x: 1 }],
  ['toJSON', { toJSON: () => ({ v: 7 }) }, { v: 7 }],
  // oxlint-disable-next-line no-sparse-arrays -- a hole is null in JSON
  ['a sparse array', [1, , 3], [1, null, 3]],
  ['a symbol and a function', { a: Symbol('a'), b: () => 1, [Symbol('c')]: 1 }, {}],
  ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  [
    'a getter',
    {
      get a() {
        return 1
      },
    },
    { a: 1 },
  ],
  ['one object twice', [shared, shared], [{ a: 1 }, { a: 1 }]],
  ['bytes', new Uint8Array([1, 2]), { 0: 1, 1: 2 }],
  ['text that is not well-formed', 'a\ud800', 'a\ud800'],
]

const throwing = {
  get a() {
    throw new Error('a getter of the caller')
  },
}
const cycle: unknown[] = []
cycle.push(cycle)
let nested: unknown = []
for (let depth = 0; depth < 100_000; depth += 1) nested = [nested]

const UNSERIALISABLE: [title: string, value: unknown][] = [
  ['a bigint', 1n],
  ['a bigint inside', { a: 1n }],
  ['a function', () => 1],
  ['a symbol', Symbol('a')],
  ['a cycle', cycle],
  ['a getter that throws', throwing],
  ['toJSON without a result', { toJSON: () => undefined }],
  ['100,000 arrays in each other', nested],
]

function toDate(stored: unknown): Date {
  return new Date(String(stored))
}

function requireDate(stored: unknown): object {
  if (typeof stored === 'object' && stored !== null && 'at' in stored) {
    if (stored.at instanceof Date) return stored
  }
  throw new TypeError('no Date')
}

/** Tests that each instance serves the parsed JSON of a value. */
export function describeValues(
  openCache: (
    options?: Partial<CacheOptions<unknown>>,
  ) => Promise<{ cache: Cache<unknown>; source: Map<string, unknown>; loads: string[] }>,
): void {
  test.each(CHANGED)(
    '%s is served as its JSON from the first read on',
    async (_, value, served) => {
      const { cache, source, loads } = await openCache()
      source.set('b', value)
      const reads = [await cache.get('b'), await cache.get('b'), cache.peek('b')]
      await cache.set('c', value)
      reads.push(cache.peek('c'), await cache.get('c'))
      for (const read of reads) {
        expect(read).toStrictEqual(served)
        expect(Object.is(read, value) && typeof value === 'object').toBe(false)
      }
      expect(loads).toEqual(['b'])
    },
  )

  test('a key __proto__ of a value stays a key, and does not change a prototype', async () => {
    const { cache, source } = await openCache()
    source.set('b', protoKey)
    const read = await cache.get('b')
    expect(JSON.stringify(read)).toBe('{"__proto__":{"admin":true},"b":1}')
    expect(Reflect.get({}, 'admin')).toBeUndefined()
  })

  test.each(UNSERIALISABLE)(
    '%s is refused with the code unserialisable when it is loaded and when it is set',
    async (_, value) => {
      const { cache, source } = await openCache()
      source.set('b', value)
      await expect(cache.get('b')).rejects.toMatchObject({ code: 'unserialisable' })
      await expect(cache.set('c', value)).rejects.toMatchObject({ code: 'unserialisable' })
      expect([cache.peek('b'), cache.peek('c')]).toEqual([undefined, undefined])
      expect(await cache.get('a')).toEqual({ v: 1 })
    },
  )

  test('a value whose JSON `parse` refuses is refused with the code unserialisable at the first load', async () => {
    const { cache } = await openCache({
      parse: requireDate,
      load: async () => ({ at: new Date(0) }),
    })
    const error = { code: 'unserialisable', message: expect.stringContaining('no Date') }
    await expect(cache.get('b')).rejects.toMatchObject(error)
    await expect(cache.set('b', { at: new Date(0) })).rejects.toMatchObject(error)
  })

  test('the result of `parse` is served from the first read on', async () => {
    const { cache } = await openCache({ parse: toDate, load: async () => new Date(7) })
    for (const read of [await cache.get('b'), await cache.get('b'), cache.peek('b')]) {
      expect(read).toEqual(new Date(7))
    }
  })

  test('a value over maxValueBytes is served as its JSON, and counted', async () => {
    const { cache } = await openCache({
      maxValueBytes: 50,
      load: async () => ({ at: new Date(0), text: 'x'.repeat(50) }),
    })
    const served = { at: '1970-01-01T00:00:00.000Z', text: 'x'.repeat(50) }
    expect(await cache.get('b')).toEqual(served)
    expect(await cache.get('b')).toEqual(served)
    expect(cache.stats()).toMatchObject({ tooLarge: 2, loads: 2, entries: 0 })
  })

  test('a `parse` that returns a promise is refused with the code unserialisable', async () => {
    const { cache } = await openCache({
      parse: async () => {
        throw new Error('late')
      },
    })
    await expect(cache.get('a')).rejects.toMatchObject({ code: 'unserialisable' })
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('ill')
      },
    ],
    ['returns no array', () => 'a'],
    ['returns a tag that is not text', () => [1]],
  ])('a function `tags` that %s is refused with the code bad-key', async (_, tags) => {
    const { cache } = await openCache({ tags: (value) => Reflect.apply(tags, undefined, [value]) })
    await expect(cache.get('a')).rejects.toMatchObject({ code: 'bad-key' })
    await expect(cache.set('a', 1)).rejects.toMatchObject({ code: 'bad-key' })
  })
}
