import { afterEach, contend, describe, expect, test } from '@repo/testing'
import { connectRedis, type RedisConnection } from './connect.ts'
import { runScript, script } from './script.ts'

/**
 * KEYS: 1 counter   ARGV: 1 step
 * Returns the new count.
 */
const count = script({ keys: 1, lua: `return redis.call('INCRBY', KEYS[1], ARGV[1])` })
/** KEYS: 1 a key, left with a text. Fails after its first write. */
const broken = script({
  keys: 1,
  lua: `redis.call('SET', KEYS[1], 'text') return redis.call('INCR', KEYS[1])`,
})

let redis: RedisConnection

async function connect(url: string) {
  redis = connectRedis({ url, name: 'test' })
  await redis.ready()
}

afterEach(() => redis.close())

function step(key: string, by = 1) {
  return redis.call((client) => runScript(client, count, [key], [by]))
}

async function commandsRun(): Promise<Record<string, number>> {
  const stats = await redis.client.info('commandstats')
  const lines = stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)
  return Object.fromEntries([...lines].map(([, name, calls]) => [name, Number(calls)]))
}

describe('a script', () => {
  test.beforeEach(({ redisUrl }) => connect(redisUrl))

  test('a script is sent whole once, and then by its hash', async () => {
    await redis.client.script('FLUSH')
    await redis.client.config('RESETSTAT')
    for (let i = 1; i <= 10; i += 1) expect(await step('hash')).toBe(i)
    expect(await commandsRun()).toMatchObject({ eval: 1, evalsha: 10 })
  })

  test('a script runs again after SCRIPT FLUSH', async () => {
    await step('flushed')
    await redis.client.script('FLUSH')
    expect(await step('flushed')).toBe(2)
  })

  test('200 concurrent first uses of a script run it exactly 200 times', async () => {
    await redis.client.script('FLUSH')
    const ends = await contend(200, () => step('first'))
    const values = ends.map((end) => (end.status === 'fulfilled' ? end.value : end.reason))
    const expected = Array.from({ length: 200 }, (_, index) => index + 1)
    expect(values.toSorted((a, b) => Number(a) - Number(b))).toEqual(expected)
    expect(await redis.client.get('first')).toBe('200')
  })

  test('a script with another number of keys is refused before it is sent', async () => {
    const none = redis.call((client) => runScript(client, count, [], [1]))
    const message = 'keyNames must be 1 keys for this script, not 0'
    await expect(none).rejects.toMatchObject({ code: 'bad-option', message })
    const two = redis.call((client) => runScript(client, count, ['a', 'b'], [1]))
    await expect(two).rejects.toMatchObject({ code: 'bad-option' })
    expect(await redis.client.exists('a', 'b')).toBe(0)
  })

  test('a failing script is a defect, with the reply of the server', async () => {
    const failing = redis.call((client) => runScript(client, broken, ['broken']))
    await expect(failing).rejects.toMatchObject({
      code: 'defect',
      message: expect.stringContaining('not an integer'),
    })
  })

  test('a script that does not compile is a defect', async () => {
    const typo = script({ keys: 0, lua: 'retrun 1' })
    const failing = redis.call((client) => runScript(client, typo, []))
    await expect(failing).rejects.toMatchObject({ code: 'defect' })
  })
})

test('a script runs on a restarted server, which does not have it', async ({ ownValkey }) => {
  await connect(ownValkey.url)
  expect(await step('restarted')).toBe(1)
  await ownValkey.restart()
  await redis.ready(5_000)
  expect(await step('restarted')).toBe(1)
})
