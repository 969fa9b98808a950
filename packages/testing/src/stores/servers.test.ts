import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startPostgres } from '@repo/embedded'
import { connectPostgres, redisOnce } from '../clients.fixture.ts'
import { describe, expect, test } from '../index.ts'
import { isAlive } from '../replica/is-alive.fixture.ts'

describe('ownValkey', () => {
  let earlier = 0

  test('a paused Valkey hangs, and a resumed one answers', async ({ ownValkey }) => {
    earlier = ownValkey.pid
    const redis = redisOnce(ownValkey.url, { commandTimeout: 1_000 })
    await redis.ping()
    await ownValkey.pause()
    await expect(redis.ping()).rejects.toThrow('timed out')
    expect(redis.status).toBe('ready')
    ownValkey.resume()
    expect(await redis.ping()).toBe('PONG')
    redis.disconnect()
  })

  test('a Valkey has ended after its test', () => {
    expect(earlier).toBeGreaterThan(0)
    expect(isAlive(earlier)).toBe(false)
  })

  test('a killed Valkey refuses connections, and is empty after a restart on its port', async ({
    ownValkey,
  }) => {
    await redisOnce(ownValkey.url).set('key', 'value')
    await ownValkey.kill()
    await expect(redisOnce(ownValkey.url).connect()).rejects.toThrow('closed')
    await ownValkey.restart()
    const redis = redisOnce(ownValkey.url)
    expect(await redis.get('key')).toBe(null)
    await redis.quit()
  })
})

describe('ownPostgres', () => {
  test('PostgreSQL has its committed rows after SIGKILL and a restart', async ({ ownPostgres }) => {
    const before = await connectPostgres(ownPostgres.url)
    await before.query('create table kept (n int)')
    await before.query('insert into kept values (3)')
    await ownPostgres.kill()
    await expect(connectPostgres(ownPostgres.url)).rejects.toThrow('ECONNREFUSED')
    await ownPostgres.restart()
    const after = await connectPostgres(ownPostgres.url)
    expect((await after.query('select n from kept')).rows).toEqual([{ n: 3 }])
    await after.end()
  })

  test('a paused PostgreSQL hangs on open connections and on new ones', async ({ ownPostgres }) => {
    const client = await connectPostgres(ownPostgres.url, { query_timeout: 1_000 })
    await ownPostgres.pause()
    await expect(client.query('select 1')).rejects.toThrow('timeout')
    const impatient = { connectionTimeoutMillis: 1_000 }
    await expect(connectPostgres(ownPostgres.url, impatient)).rejects.toThrow('timeout')
    ownPostgres.resume()
    const after = await connectPostgres(ownPostgres.url)
    expect((await after.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await after.end()
  })
})

describe('a PostgreSQL on a data folder', () => {
  test('a data folder with the pid file of a crash starts with its rows and its password', async () => {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'threefold-data-'))
    const first = await startPostgres({ dataDir })
    const before = await connectPostgres(first.url)
    await before.query('create table kept ()')
    await first.kill()
    await first.stop()
    // The number is now that of a process that has nothing to do with PostgreSQL: this one.
    await writeFile(path.join(dataDir, 'cluster/postmaster.pid'), `${process.pid}\n`)

    const second = await startPostgres({ dataDir })
    try {
      const after = await connectPostgres(second.url)
      expect((await after.query(`select to_regclass('kept') as name`)).rows).toEqual([
        { name: 'kept' },
      ])
      await after.end()
    } finally {
      await second.stop()
      await rm(dataDir, { recursive: true })
    }
  })

  test('the error of a failed start contains its reason', async () => {
    const first = await startPostgres()
    try {
      await expect(startPostgres({ port: first.port })).rejects.toThrow('Address already in use')
    } finally {
      await first.stop()
    }
  })
})
