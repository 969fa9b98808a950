import { connectPostgres, redisOnce } from '../clients.fixture.ts'
import { describe, expect, test, until } from '../index.ts'

describe('a TCP proxy', () => {
  test('the URL of a TCP proxy has the scheme, credentials and path of its target', async ({
    tcpProxy,
    databaseUrl,
  }) => {
    const proxy = await tcpProxy({ target: databaseUrl })
    const client = await connectPostgres(proxy.url)
    const { rows } = await client.query('select current_database() as name')
    expect(rows).toEqual([{ name: new URL(databaseUrl).pathname.slice(1) }])
    await client.end()
  })

  test('a TCP proxy delays bytes in each direction', async ({ tcpProxy, redisUrl }) => {
    const proxy = await tcpProxy({ target: redisUrl })
    const redis = redisOnce(proxy.url)
    await redis.ping()
    proxy.delay(40)
    const startedAtMs = performance.now()
    await Promise.all([redis.ping(), redis.ping()])
    const elapsedMs = performance.now() - startedAtMs
    expect(elapsedMs).toBeGreaterThanOrEqual(79)
    redis.disconnect()
  })

  test('a TCP proxy cuts all connections, refuses new ones, and heals on the same port', async ({
    tcpProxy,
    redisUrl,
  }) => {
    const proxy = await tcpProxy({ target: redisUrl })
    const redis = redisOnce(proxy.url)
    await redis.ping()
    expect(proxy.connections()).toBe(1)
    await proxy.cut()
    await until(() => redis.status === 'end')
    expect(proxy.connections()).toBe(0)
    await expect(redis.connect()).rejects.toThrow('closed')
    await proxy.heal()
    await redis.connect()
    expect(await redis.ping()).toBe('PONG')
    redis.disconnect()
  })

  test('half-open connections stay without bytes, and are closed when the TCP proxy heals', async ({
    tcpProxy,
    redisUrl,
  }) => {
    const direct = redisOnce(redisUrl)
    const proxy = await tcpProxy({ target: redisUrl })
    const redis = redisOnce(proxy.url, { commandTimeout: 100 })
    await redis.ping()
    proxy.halfOpen()
    await expect(redis.set('dropped', '1')).rejects.toThrow('timed out')
    expect(redis.status).toBe('ready')
    expect(await direct.exists('dropped')).toBe(0)
    await proxy.heal()
    await until(() => redis.status === 'end')
    await redis.connect()
    expect(await redis.ping()).toBe('PONG')
    redis.disconnect()
    direct.disconnect()
  })
})
