import { expect, test } from '@playwright/test'
import { type Launcher, leftovers, PORT, start } from '../launcher.ts'
import { somebody } from '../person.ts'

const EDGE = `http://localhost:${PORT}`

async function whenReady(launcher: Launcher) {
  await expect.poll(() => launcher.stdout(), { timeout: 50_000 }).toContain('Ctrl-C drains')
}

test('Ctrl-C drains everything, and the next start has the same data', async ({ request }) => {
  const person = somebody()
  const headers = { origin: EDGE }
  const first = start({}, ['--fresh'])
  await whenReady(first)
  const signedUp = await request.post(`${EDGE}/api/auth/sign-up/email`, { data: person, headers })
  expect(signedUp.status()).toBe(200)
  first.signal('SIGINT')
  expect(await first.exited).toBe(0)
  expect(await leftovers()).toEqual([])

  const second = start()
  await whenReady(second)
  // Not only the account: the session too, since the secrets are kept.
  expect((await request.get(`${EDGE}/api/me`)).status()).toBe(200)
  second.signal('SIGINT')
  expect(await second.exited).toBe(0)
  expect(await leftovers()).toEqual([])
})

test('Ctrl-C in the middle of a start leaves nothing either', async () => {
  const launcher = start()
  await expect.poll(() => launcher.stdout(), { timeout: 50_000 }).toContain('its build is up to')
  launcher.signal('SIGINT')
  expect(await launcher.exited).toBe(0)
  expect(await leftovers()).toEqual([])
})

test('what a launcher that was killed left behind, the next start ends', async () => {
  const killed = start()
  await whenReady(killed)
  killed.signal('SIGKILL')
  await killed.exited

  const next = start()
  await whenReady(next)
  expect(next.stdout()).toMatch(/ended \d+ orphans of a killed start/)
  next.signal('SIGTERM')
  expect(await next.exited).toBe(0)
  expect(await leftovers()).toEqual([])
})

test('a second start beside a running one is refused, and the first goes on', async ({
  request,
}) => {
  const first = start()
  await whenReady(first)
  const second = start()
  expect(await second.exited).toBe(1)
  expect(second.stderr()).toMatch(/a cluster runs here already \(process \d+\)/)
  expect((await request.get(`${EDGE}/api/me`)).status()).toBe(401)
  first.signal('SIGINT')
  expect(await first.exited).toBe(0)
})
