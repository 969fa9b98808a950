import { startPostgres } from '@repo/embedded'
import { afterAll, beforeAll, expect, test, until } from '@repo/testing'
import { createOnce } from '../index.ts'
import {
  connect,
  type Connected,
  countEffects,
  prepare,
  writeEffect,
} from '../postgres/open.fixture.ts'
import { postgresStore } from '../postgres/postgres-store.ts'
import { createTestApp, describe } from './app.fixture.ts'

let connected: Connected
let stop = async () => undefined as unknown

beforeAll(async () => {
  const postgres = await startPostgres()
  await prepare(postgres.url)
  connected = connect(postgres.url, 'test-1')
  stop = async () => {
    await connected.close()
    await postgres.stop()
  }
})

afterAll(() => stop())

for (const claim of ['row', 'lock'] as const) {
  const open = () => createOnce({ store: postgresStore({ db: connected.db, claim }) })
  const effects = (name: string) => countEffects(connected, `${claim} ${name}`)

  test(`I7: by ${claim}, the writes of a handler and its response commit once, and are replayed`, async () => {
    await using shop = createTestApp(
      (c) =>
        c.var.attempt.transaction(async (tx) => {
          await writeEffect(tx, `${claim} paid`)
          c.header('Set-Cookie', 'a=1')
          c.header('Location', '/payments/1')
          return c.json({ id: 1 }, 201)
        }),
      { once: open() },
    )
    shop.app.onError((_, c) => c.text('failed', 500))
    const [first, second] = [
      await shop.send({ key: `${claim}-paid` }),
      await shop.send({ key: `${claim}-paid` }),
    ]
    expect([describe(first), describe(second)]).toEqual(['201 fresh', '201 replayed'])
    expect(await second.text()).toBe(await first.text())
    expect(first.headers.getSetCookie()).toEqual(['a=1'])
    expect(second.headers.getSetCookie()).toEqual([])
    expect(second.headers.get('location')).toBe('/payments/1')
    expect(await effects('paid')).toBe(1)
    expect((await shop.send({ key: `${claim}-paid`, body: '{"a":1}' })).status).toBe(422)
  })

  test(`I7: by ${claim}, a handler that throws in its transaction has no effect, and the next attempt runs`, async () => {
    let isFailing = true
    await using shop = createTestApp(
      (c) =>
        c.var.attempt.transaction(async (tx) => {
          await writeEffect(tx, `${claim} failed`)
          if (isFailing) throw new Error('a fault')
          return c.text('done')
        }),
      { once: open() },
    )
    shop.app.onError((_, c) => c.text('failed', 500))
    expect((await shop.send({ key: `${claim}-failed` })).status).toBe(500)
    expect(await effects('failed')).toBe(0)
    isFailing = false
    expect(describe(await shop.send({ key: `${claim}-failed` }))).toBe('200 fresh')
    expect(await effects('failed')).toBe(1)
  })

  test(`I7: by ${claim}, a response that is not stored rolls its transaction back`, async () => {
    await using shop = createTestApp(
      (c) =>
        c.var.attempt.transaction(async (tx) => {
          await writeEffect(tx, `${claim} refused`)
          return c.text('busy', 503)
        }),
      { once: open() },
    )
    for (let i = 0; i < 2; i += 1) {
      expect(describe(await shop.send({ key: `${claim}-refused` }))).toBe('503 fresh')
    }
    expect(await effects('refused')).toBe(0)
  })

  test(`by ${claim}, a duplicate of a running transaction receives 409, also if its handler hides the error`, async () => {
    const held = Promise.withResolvers<undefined>()
    let isFirst = true
    const name = `${claim} held`
    await using shop = createTestApp(
      async (c) => {
        const isHolding = isFirst
        isFirst = false
        try {
          return await c.var.attempt.transaction(async (tx) => {
            await writeEffect(tx, name)
            if (isHolding) await held.promise
            return c.text('done')
          })
        } catch {
          return c.text('hidden', 200)
        }
      },
      { once: open() },
    )
    const first = shop.send({ key: `${claim}-held` })
    await until(() => shop.runs() === 1)
    let duplicate = await shop.send({ key: `${claim}-held` })
    // The first handler runs, and its transaction may not have begun.
    await until(async () => {
      duplicate = await shop.send({ key: `${claim}-held` })
      return duplicate.status === 409
    })
    expect(Number(duplicate.headers.get('retry-after'))).toBeGreaterThan(0)
    held.resolve(undefined)
    expect(describe(await first)).toBe('200 fresh')
    expect(await effects('held')).toBe(1)
  })

  test(`I8: by ${claim}, the response of a transaction above the limit is sent whole, and its replay has no body`, async () => {
    const store = postgresStore({ db: connected.db, claim })
    await using shop = createTestApp(
      (c) => c.var.attempt.transaction(async () => c.text('x'.repeat(1_000), 201)),
      { once: createOnce({ store, maxResponseBytes: 100 }) },
    )
    const first = await shop.send({ key: `${claim}-large` })
    expect([describe(first), (await first.text()).length]).toEqual(['201 fresh', 1_000])
    const second = await shop.send({ key: `${claim}-large` })
    expect([describe(second), await second.text()]).toEqual(['201 replayed', ''])
  })

  test(`by ${claim}, a 4xx without a transaction is stored`, async () => {
    await using shop = createTestApp((c) => c.text('invalid', 422), { once: open() })
    expect(describe(await shop.send({ key: `${claim}-invalid` }))).toBe('422 fresh')
    expect(describe(await shop.send({ key: `${claim}-invalid` }))).toBe('422 replayed')
  })
}

test('by lock, a 4xx without a transaction is refused if the key belongs to another request', async () => {
  const once = createOnce({ store: postgresStore({ db: connected.db, claim: 'lock' }) })
  await using shop = createTestApp((c) => c.text('invalid', 400), { once })
  await shop.send({ key: 'lock-reused' })
  const reused = await shop.send({ key: 'lock-reused', body: '{"a":1}' })
  expect([reused.status, reused.headers.get('retry-after')]).toEqual([422, null])
  expect(once.stats().requests).toMatchObject({ fresh: 1, mismatch: 1, conflict: 0 })
})

test('by lock, a success without a transaction is a defect, and is answered with 500', async () => {
  const once = createOnce({ store: postgresStore({ db: connected.db, claim: 'lock' }) })
  await using shop = createTestApp((c) => c.text('done'), { once })
  const errors: unknown[] = []
  shop.app.onError((error, c) => {
    errors.push(error)
    return c.text('', 500)
  })
  expect((await shop.send({ key: 'lock-forgotten' })).status).toBe(500)
  expect(errors).toEqual([expect.objectContaining({ code: 'no-transaction' })])
})

test('a store without transactions refuses one by name', async () => {
  await using shop = createTestApp((c) => c.var.attempt.transaction(async () => c.text('done')))
  const errors: unknown[] = []
  shop.app.onError((error, c) => {
    errors.push(error)
    return c.text('', 500)
  })
  expect((await shop.send()).status).toBe(500)
  expect(errors).toEqual([expect.objectContaining({ code: 'no-transaction' })])
})
