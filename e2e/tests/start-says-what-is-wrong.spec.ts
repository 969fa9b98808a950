import { once } from 'node:events'
import { createServer } from 'node:http'
import { expect, test } from '@playwright/test'
import { Client } from 'pg'
import { readCluster } from '../cluster.ts'
import { leftovers, PORT, start, START_WITHIN_MS } from '../launcher.ts'

test.describe.configure({ timeout: START_WITHIN_MS })

/** Checks for one line on stderr, exit code 1, and no process that still runs. */
async function expectRefusal(env: Record<string, string>, line: RegExp, args: string[] = []) {
  const launcher = start(env, args)
  expect(await launcher.exited).toBe(1)
  expect(launcher.stderr().trim().split('\n')).toHaveLength(1)
  expect(launcher.stderr()).toMatch(line)
  expect(await leftovers()).toEqual([])
}

test('a start on a busy port prints the port and the option that selects another one', async () => {
  const squatter = createServer().listen(PORT, '127.0.0.1')
  await once(squatter, 'listening')
  const launcher = start()
  expect(await launcher.exited).toBe(1)
  squatter.close()
  expect(launcher.stderr()).toMatch(/^fault: port 8280 is in use: .*--port 8281\n$/)
  expect(await leftovers()).toEqual([])
})

test('a start on two busy ports prints both ports and both options at once', async () => {
  const squatters = [PORT, 6201].map((port) => createServer().listen(port, '127.0.0.1'))
  await Promise.all(squatters.map((squatter) => once(squatter, 'listening')))
  const launcher = start()
  expect(await launcher.exited).toBe(1)
  for (const squatter of squatters) squatter.close()
  expect(launcher.stderr()).toMatch(
    /^fault: port 8280 is in use, and port 6201, which gateway-1 needs, is in use: .*--port 8281 --ports 7000\n$/,
  )
  expect(await leftovers()).toEqual([])
})

test('--fresh with a DATABASE_URL is refused with the name of the server and without its password', async () => {
  await expectRefusal(
    { DATABASE_URL: 'postgres://me:hunter2@db.example.com:6432/shop' },
    /^fault: --fresh .* database "shop" on db\.example\.com:6432 as user "me": (?!.*hunter2)/,
    ['--fresh'],
  )
})

test('a DATABASE_URL gets no demo accounts without --seed-demo, and the start prints the server that it uses', async () => {
  const { databaseUrl } = readCluster()
  const admin = new Client(databaseUrl)
  await admin.connect()
  await admin.query('create database external_without_demo')
  try {
    const url = new URL(databaseUrl)
    url.pathname = '/external_without_demo'
    const launcher = start({ DATABASE_URL: url.href, DEMO: 'true' })
    await expect
      .poll(() => launcher.stdout(), { timeout: START_WITHIN_MS })
      .toContain('no demo accounts (--seed-demo makes them)')
    launcher.signal('SIGINT')
    expect(await launcher.exited).toBe(0)
    expect(launcher.stdout()).toContain(`external: database "external_without_demo" on ${url.host}`)
    expect(launcher.stdout()).not.toContain(url.password)
    const external = new Client(url.href)
    await external.connect()
    const { rows } = await external.query('select email from "user"')
    await external.end()
    expect(rows).toEqual([])
  } finally {
    await admin.query('drop database external_without_demo with (force)')
    await admin.end()
  }
})

test('a start with an unreachable REDIS_URL is refused', async () => {
  await expectRefusal(
    { REDIS_URL: 'redis://127.0.0.1:1' },
    /REDIS_URL: 127\.0\.0\.1:1 cannot be used as a Redis server/,
  )
})

test('a start with a wrong password in DATABASE_URL is refused without printing the password', async () => {
  const url = new URL(readCluster().databaseUrl)
  url.password = 'hunter2'
  const launcher = start({ DATABASE_URL: url.href })
  expect(await launcher.exited).toBe(1)
  expect(launcher.stderr()).toMatch(/^fault: DATABASE_URL: .*password authentication failed/)
  expect(launcher.stderr()).not.toContain('hunter2')
  expect(await leftovers()).toEqual([])
})

test('a start with a DATABASE_URL on which no server listens is refused', async () => {
  await expectRefusal(
    { DATABASE_URL: 'postgres://postgres:x@127.0.0.1:1/none' },
    /DATABASE_URL: PostgreSQL at 127\.0\.0\.1:1 cannot be used/,
  )
})

test('a start with a placeholder secret is refused with the name of the setting', async () => {
  const launcher = start({ AUTH_SECRET: 'change-me-'.repeat(5) })
  expect(await launcher.exited).toBe(1)
  expect(launcher.stderr()).toContain('AUTH_SECRET: is a placeholder')
  expect(await leftovers()).toEqual([])
})

test('a start with an unknown option is refused with the usage', async () => {
  const launcher = start({}, ['--replica', '3'])
  expect(await launcher.exited).toBe(2)
  expect(launcher.stderr()).toContain("Unknown option '--replica'")
  expect(launcher.stderr()).toContain('Usage: pnpm start')
})
