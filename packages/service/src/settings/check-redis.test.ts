import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { connectRedis } from '@repo/redis'
import { expect, freePort, test } from '@repo/testing'

const PROGRAM = fileURLToPath(new URL('check-redis.ts', import.meta.url))
const run = promisify(execFile)

interface Ended {
  code: number
  lines: string[]
}

/** Runs the program until it exits. */
async function check(url: string, settings: Record<string, string> = {}): Promise<Ended> {
  const env = { PATH: process.env.PATH, REDIS_URL: url, ...settings }
  const { code, stdout, stderr } = await run(process.execPath, [PROGRAM], { env }).then(
    (ended) => ({ code: 0, ...ended }),
    (error: Ended & { stdout: string; stderr: string }) => error,
  )
  return { code, lines: (stdout + stderr).split('\n').filter(Boolean) }
}

test('check-redis exits 0 without output for a server that evicts no keys', async ({
  redisUrl,
}) => {
  expect(await check(redisUrl)).toEqual({ code: 0, lines: [] })
})

test('check-redis exits 1 with one line that names an unsafe policy', async ({ ownValkey }) => {
  const admin = connectRedis({ url: ownValkey.url, name: 'admin' })
  await admin.ready()
  await admin.client.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await admin.close()
  const line =
    'REDIS_URL: Redis has maxmemory-policy allkeys-lru; set it to noeviction, or state is lost'
  expect(await check(ownValkey.url)).toEqual({ code: 1, lines: [line] })
})

test('check-redis exits 1 with one line that names an unreachable host, and no password', async () => {
  const host = `127.0.0.1:${await freePort()}`
  const { code, lines } = await check(`redis://user:secret@${host}`)
  expect([code, lines.length]).toEqual([1, 1])
  expect(lines[0]).toMatch(`REDIS_URL: ${host} cannot be used`)
  expect(lines[0]).toContain('ECONNREFUSED')
  expect(lines[0]).not.toContain('secret')
})

test('check-redis exits 1 with a line for each setting that services refuse', async ({
  redisUrl,
}) => {
  const settings = { REDIS_PREFIX: 'a:b', REDIS_SENTINELS: 'no port' }
  const { code, lines } = await check(redisUrl, settings)
  expect(code).toBe(1)
  expect(lines.map((line) => line.split(':', 1)[0])).toEqual(['REDIS_PREFIX', 'REDIS_SENTINELS'])
})

test('check-redis connects through the sentinels that services use', async ({ redisUrl }) => {
  const sentinel = `127.0.0.1:${await freePort()}`
  const { code, lines } = await check(redisUrl, { REDIS_SENTINELS: sentinel })
  expect([code, lines.length]).toEqual([1, 1])
  expect(lines[0]).toMatch(/^REDIS_URL: .* cannot be used/)
})

test.for(['localhost:6379', 'https://localhost', 'redis://['])(
  'check-redis exits 1 with one line for an invalid Redis URL: %s',
  async (url) => {
    const line = expect.stringMatching(/^REDIS_URL: (must begin with redis:|has no host)/)
    expect(await check(url)).toEqual({ code: 1, lines: [line] })
  },
)
