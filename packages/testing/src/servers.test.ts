import { Redis } from 'ioredis'
import pg from 'pg'
import { describe, expect, test } from './index.ts'
import { isAlive } from './is-alive.ts'

/** One attempt, so that a test sees the server and not a client's patience. */
const ONCE = { retryStrategy: () => null, maxRetriesPerRequest: 0, lazyConnect: true }

describe('a Valkey of its own', () => {
  let earlier = 0

  test('hangs while paused and answers once resumed', async ({ ownValkey }) => {
    earlier = ownValkey.pid
    const redis = new Redis(ownValkey.url, { ...ONCE, commandTimeout: 100 })
    await redis.ping()
    await ownValkey.pause()
    await expect(redis.ping()).rejects.toThrow('timed out')
    expect(redis.status).toBe('ready')
    ownValkey.resume()
    expect(await redis.ping()).toBe('PONG')
    redis.disconnect()
  })

  test('is gone after its test', () => {
    expect(earlier).toBeGreaterThan(0)
    expect(isAlive(earlier)).toBe(false)
  })

  test('refuses once killed and is empty after a restart on the same port', async ({
    ownValkey,
  }) => {
    const before = new Redis(ownValkey.url, ONCE)
    await before.set('key', 'value')
    before.on('error', () => undefined)
    await ownValkey.kill()
    await expect(new Redis(ownValkey.url, ONCE).connect()).rejects.toThrow('closed')
    await ownValkey.restart()
    const after = new Redis(ownValkey.url, ONCE)
    expect(await after.get('key')).toBe(null)
    await after.quit()
  })
})

describe('a PostgreSQL of its own', () => {
  test('comes back from SIGKILL with the rows that were committed', async ({ ownPostgres }) => {
    const before = await connect(ownPostgres.url)
    await before.query('create table kept (n int)')
    await before.query('insert into kept values (3)')
    await ownPostgres.kill()
    await expect(connect(ownPostgres.url)).rejects.toThrow('ECONNREFUSED')
    await ownPostgres.restart()
    const after = await connect(ownPostgres.url)
    expect((await after.query('select n from kept')).rows).toEqual([{ n: 3 }])
    await after.end()
  })

  test('hangs while paused, on open connections and on new ones', async ({ ownPostgres }) => {
    const client = await connect(ownPostgres.url, { query_timeout: 100 })
    await ownPostgres.pause()
    await expect(client.query('select 1')).rejects.toThrow('timeout')
    const late = { connectionTimeoutMillis: 100 }
    await expect(connect(ownPostgres.url, late)).rejects.toThrow('timeout')
    ownPostgres.resume()
    const after = await connect(ownPostgres.url)
    expect((await after.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await after.end()
  })
})

async function connect(connectionString: string, options: pg.ClientConfig = {}) {
  const client = new pg.Client({ connectionString, ...options })
  client.on('error', () => undefined)
  await client.connect()
  return client
}
