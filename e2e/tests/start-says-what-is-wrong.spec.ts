import { createServer } from 'node:http'
import { expect, test } from '@playwright/test'
import { readCluster } from '../cluster.ts'
import { leftovers, PORT, start } from '../launcher.ts'

/** Each fault: one line on stderr, an exit code, and nothing left running. */
async function expectRefusal(env: Record<string, string>, line: RegExp) {
  const launcher = start(env)
  expect(await launcher.exited).toBe(1)
  expect(launcher.stderr().trim().split('\n')).toHaveLength(1)
  expect(launcher.stderr()).toMatch(line)
  expect(await leftovers()).toEqual([])
}

test('a busy port: the port and the option that chooses another', async () => {
  const squatter = createServer().listen(PORT, '127.0.0.1')
  const launcher = start()
  expect(await launcher.exited).toBe(1)
  squatter.close()
  expect(launcher.stderr()).toMatch(/^fault: port 8280 is in use: .*--port 8281\n$/)
  expect(await leftovers()).toEqual([])
})

test('an unreachable REDIS_URL', async () => {
  await expectRefusal({ REDIS_URL: 'redis://127.0.0.1:1' }, /REDIS_URL: 127\.0\.0\.1:1 does not/)
})

test('a DATABASE_URL with a wrong password, which is not printed', async () => {
  const url = new URL(readCluster().databaseUrl)
  url.password = 'hunter2'
  const launcher = start({ DATABASE_URL: url.href })
  expect(await launcher.exited).toBe(1)
  expect(launcher.stderr()).toMatch(/^fault: DATABASE_URL: .*password authentication failed/)
  expect(launcher.stderr()).not.toContain('hunter2')
  expect(await leftovers()).toEqual([])
})

test('a DATABASE_URL where nothing listens', async () => {
  await expectRefusal(
    { DATABASE_URL: 'postgres://postgres:x@127.0.0.1:1/none' },
    /DATABASE_URL: PostgreSQL at 127\.0\.0\.1:1 cannot be used/,
  )
})

test('a placeholder secret, by name', async () => {
  const launcher = start({ AUTH_SECRET: 'change-me-'.repeat(5) })
  expect(await launcher.exited).toBe(1)
  expect(launcher.stderr()).toContain('AUTH_SECRET: is a placeholder')
  expect(await leftovers()).toEqual([])
})

test('an option that does not exist', async () => {
  const launcher = start({}, ['--replica', '3'])
  expect(await launcher.exited).toBe(2)
  expect(launcher.stderr()).toContain("Unknown option '--replica'")
  expect(launcher.stderr()).toContain('Usage: pnpm start')
})
