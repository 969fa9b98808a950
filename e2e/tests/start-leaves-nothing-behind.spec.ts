import { expect, test } from '@playwright/test'
import {
  type Launcher,
  leftovers,
  PORT,
  start,
  START_WITHIN_MS,
  startThrough,
  stop,
} from '../launcher.ts'
import { somebody } from '../person.ts'

const EDGE = `http://localhost:${PORT}`

test.describe.configure({ timeout: 3 * START_WITHIN_MS })

async function whenReady(launcher: Launcher) {
  await whenPrinted(launcher, 'Ctrl-C drains')
}

async function whenPrinted(launcher: Launcher, text: string) {
  const printed = expect.poll(() => launcher.stdout(), { timeout: START_WITHIN_MS }).toContain(text)
  await Promise.race([printed, expectNoEarlyEnd(launcher, text)])
}

/** A launcher that ends without the text has failed: there is no more to wait for. */
async function expectNoEarlyEnd(launcher: Launcher, text: string) {
  await launcher.exited
  expect(`${launcher.stdout()}${launcher.stderr()}`, 'the launcher ended').toContain(text)
}

/** Every process of a killed launcher drains first, one layer after the other. */
async function whenNothingIsLeft() {
  await expect.poll(leftovers, { timeout: START_WITHIN_MS }).toEqual([])
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

  // The terminal is closed: the launcher receives SIGHUP.
  second.signal('SIGHUP')
  expect(await second.exited).toBe(0)
  expect(await leftovers()).toEqual([])
})

test('Ctrl-C in the middle of a start leaves no process', async () => {
  const launcher = start()
  await whenPrinted(launcher, 'its build is up to')
  launcher.signal('SIGINT')
  expect(await launcher.exited).toBe(0)
  expect(await leftovers()).toEqual([])
})

test('a second start is refused and the first cluster serves on; when its launcher is killed, everything ends without another start, and `stop` finds nothing', async ({
  request,
}) => {
  const first = start()
  await whenReady(first)
  const second = start({}, ['--fresh', '--port', String(PORT + 1), '--ports', '16000'])
  expect(await second.exited).toBe(1)
  expect(second.stderr()).toContain(`a cluster runs here already (process ${first.pid})`)
  expect((await request.get(`${EDGE}/api/me`)).status()).toBe(401)

  first.signal('SIGKILL')
  await whenNothingIsLeft()
  const stopped = stop()
  expect(await stopped.exited).toBe(0)
  expect(stopped.stdout()).toContain('No cluster runs here')
})

test('SIGTERM to npx, which does not pass it on, stops the cluster that it started; `stop` stops one too', async () => {
  const through = startThrough(['npx', '-y', 'pnpm@12', 'exec'])
  await whenReady(through)
  through.signal('SIGTERM')
  await whenNothingIsLeft()

  const direct = start()
  await whenReady(direct)
  const stopped = stop()
  expect(await stopped.exited).toBe(0)
  expect(stopped.stdout()).toMatch(/Stopping the cluster of process \d+.*\nStopped\.\n$/s)
  expect(await direct.exited).toBe(0)
  expect(await leftovers()).toEqual([])
})

test.afterEach(async () => {
  // A failed test must not leave a cluster for the next one.
  await stop().exited
})
