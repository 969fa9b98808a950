import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from '@playwright/test'

const ROOT = join(import.meta.dirname, '../..')

// Each test boots an app, which takes time on a busy machine.
test.describe.configure({ timeout: 240_000 })

/** Runs an app with exactly these settings until it ends. */
function boot(app: string, env: Record<string, string>) {
  const main = join(ROOT, 'apps', app, 'src/main.ts')
  const child = spawn('node', [main], { env: { PATH: process.env['PATH'] ?? '', ...env } })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return new Promise<{ code: number | null; output: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, output }))
  })
}

const settings = {
  auth: ['PORT', 'REDIS_URL', 'ORIGIN', 'DATABASE_URL', 'AUTH_SECRET'],
  gateway: ['PORT', 'REDIS_URL', 'DATABASE_URL', 'AUTH_SECRET', 'INTERNAL_SECRET', 'AUTH_URLS'],
  payments: ['PORT', 'REDIS_URL', 'ORIGIN', 'DATABASE_URL', 'INTERNAL_SECRET'],
  web: ['PORT', 'REDIS_URL', 'ORIGIN'],
}

for (const [app, names] of Object.entries(settings)) {
  test(`${app} without settings lists all of them at once and exits 78`, async () => {
    const { code, output } = await boot(app, {})
    expect(code).toBe(78)
    for (const name of names) expect(output).toContain(`${name}: is not set`)
  })
}

const good = {
  NODE_ENV: 'production',
  PORT: '0',
  ORIGIN: 'http://localhost:8180',
  REDIS_URL: 'redis://127.0.0.1:1',
  DATABASE_URL: 'postgres://nobody:wrong-password@127.0.0.1:1/none',
  AUTH_SECRET: 'a'.repeat(8).padEnd(40, 'bcdefgh'),
}

test('a placeholder secret is refused in production, and is not printed', async () => {
  const { code, output } = await boot('auth', { ...good, AUTH_SECRET: 'change-me-'.repeat(5) })
  expect(code).toBe(78)
  expect(output).toContain('AUTH_SECRET: is a placeholder')
  expect(output).not.toContain('change-me')
})

test('all invalid settings are listed together, without their values', async () => {
  const { code, output } = await boot('auth', {
    ...good,
    PORT: 'eighty',
    REDIS_URL: 'http://user:hunter2@host',
    AUTH_SECRET: 'short',
  })
  expect(code).toBe(78)
  expect(output).toContain('3 fault(s)')
  for (const name of ['PORT', 'REDIS_URL', 'AUTH_SECRET']) expect(output).toContain(`${name}: `)
  expect(output).not.toContain('hunter2')
})
