import { connectPostgres, redisOnce } from './clients.fixture.ts'
import { expect, test } from './index.ts'

/** Two test files run this: neither reads data of the other one. */
export function promiseFreshStores(): void {
  test('a test file finds an empty database and leaves a table', async ({ databaseUrl }) => {
    const client = await connectPostgres(databaseUrl)
    const { rows } = await client.query(`select to_regclass('left_behind') as found`)
    expect(rows).toEqual([{ found: null }])
    await client.query('create table left_behind ()')
    await client.end()
  })

  test('a test file finds an empty key space and leaves a key', async ({ redisUrl }) => {
    const redis = redisOnce(redisUrl)
    expect(await redis.dbsize()).toBe(0)
    await redis.set('left_behind', '1')
    await redis.quit()
  })
}
