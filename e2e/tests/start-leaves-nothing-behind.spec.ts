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
import { newPerson } from '../person.ts'

const EDGE = `http://localhost:${PORT}`

test.describe.configure({ timeout: 3 * START_WITHIN_MS })

async function whenReady(launcher: Launcher) {
  await whenPrinted(launcher, 'Ctrl-C drains')
}

async function whenPrinted(launcher: Launcher, text: string) {
  const printed = expect.poll(() => launcher.stdout(), { timeout: START_WITHIN_MS }).toContain(text)
  await Promise.race([printed, expectNoEarlyEnd(launcher, text)])
}

/** Fails if the launcher ends before it prints the text. */
async function expectNoEarlyEnd(launcher: Launcher, text: string) {
  await launcher.exited
  expect(`${launcher.stdout()}${launcher.stderr()}`, 'the launcher ended').toContain(text)
}

/** Waits until the processes of a killed launcher have drained, one layer after the other. */
async function whenNothingIsLeft() {
  await expect.poll(leftovers, { timeout: START_WITHIN_MS }).toEqual([])
}

test('Ctrl-C drains the cluster, and the next start has the same data', async ({ request }) => {
  const person = newPerson()
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
  // The session is still valid too, because the secrets are stored.
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

test('a second start is refused while the first cluster runs; all processes end when its launcher is killed, and `stop` finds no cluster', async ({
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

test('SIGTERM to npx, which does not forward it, stops the cluster; `stop` stops a cluster too', async () => {
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
