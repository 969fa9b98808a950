import { expect, test } from '@playwright/test'
import { instancesOf, whenBack } from '../cluster.ts'
import {
  allSay,
  announcedBy,
  announcedByWeb,
  putSetting,
  signInAsAdministrator,
} from '../settings.ts'

const ROUNDS = 20

test.afterEach(async ({ request }) => {
  await signInAsAdministrator(request)
  await putSetting(request, instancesOf('gateway')[0]!, 'announcement', '')
})

/** Answers that a gateway has given, by its own account. */
async function answersOf(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const counts = metrics.matchAll(/^threefold_http_request_seconds_count\{.*\} (\d+)$/gm)
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

async function answersOfGateways(): Promise<number> {
  const counts = await Promise.all(instancesOf('gateway').map(({ url }) => answersOf(url)))
  return counts.reduce((sum, count) => sum + count, 0)
}

test('what all pages show is not asked for by each, however many instances make pages of it', async ({
  request,
}) => {
  await signInAsAdministrator(request)
  await putSetting(request, instancesOf('gateway')[0]!, 'announcement', 'Asked for once')
  const before = await answersOfGateways()
  await announcedByWeb()
  for (let view = 0; view < 10; view += 1) {
    expect(await announcedByWeb()).toEqual(allSay('web', 'Asked for once'))
  }
  // Three where all make it at the same time, and once more when the outbox tells the change again.
  expect((await answersOfGateways()) - before, 'answers for 33 pages').toBeLessThanOrEqual(6)
})

test(`of ${ROUNDS} changes at the API none leaves a page cached, on any web instance`, async ({
  request,
}) => {
  await signInAsAdministrator(request)
  const gateways = instancesOf('gateway')
  for (let round = 0; round < ROUNDS; round += 1) {
    const text = `Change ${round}`
    await putSetting(request, gateways[round % gateways.length]!, 'announcement', text)
    expect(await announcedByWeb(), `right after change ${round}`).toEqual(allSay('web', text))
    expect(await announcedByWeb(), 'and from what is cached').toEqual(allSay('web', text))
  }
})

test('what web-2 cached is found by a web-1 that was started anew', async ({ request }) => {
  await signInAsAdministrator(request)
  await putSetting(request, instancesOf('gateway')[1]!, 'announcement', 'Still there')
  const [killed, second] = instancesOf('web')
  process.kill(killed!.pid, 'SIGKILL')
  await expect.poll(() => whenBack(killed!), { timeout: 30_000 }).toBeDefined()
  const first = await whenBack(killed!)
  // The outbox tells a change once more within seconds, which ends what is cached: then again.
  await expect(async () => {
    await announcedBy(second!)
    const before = await answersOfGateways()
    expect(await announcedBy(first!)).toBe('Still there')
    expect((await answersOfGateways()) - before, 'answers for the page of web-1').toBe(0)
  }).toPass()
})
