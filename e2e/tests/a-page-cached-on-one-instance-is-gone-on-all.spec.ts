import { expect, test } from '@playwright/test'
import { instancesOf, whenBack } from '../cluster.ts'
import {
  onEach,
  announcementOf,
  announcementsOfWeb,
  putSetting,
  signInAsAdministrator,
} from '../settings.ts'

const ROUNDS = 20

test.afterEach(async ({ request }) => {
  await signInAsAdministrator(request)
  await putSetting(request, instancesOf('gateway')[0]!, 'announcement', '')
})

/** The number of responses that a gateway reports. */
async function responsesOf(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const counts = metrics.matchAll(/^threefold_http_request_seconds_count\{.*\} (\d+)$/gm)
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

async function responsesOfGateways(): Promise<number> {
  const counts = await Promise.all(instancesOf('gateway').map(({ url }) => responsesOf(url)))
  return counts.reduce((sum, count) => sum + count, 0)
}

test('the announcement that all pages show is loaded once, although every instance renders pages', async ({
  request,
}) => {
  await signInAsAdministrator(request)
  await putSetting(request, instancesOf('gateway')[0]!, 'announcement', 'Loaded once')
  const before = await responsesOfGateways()
  await announcementsOfWeb()
  for (let view = 0; view < 10; view += 1) {
    expect(await announcementsOfWeb()).toEqual(onEach('web', 'Loaded once'))
  }
  // Three if all instances load it at the same time, and again when the outbox repeats the change.
  expect((await responsesOfGateways()) - before, 'responses for 33 pages').toBeLessThanOrEqual(6)
})

test(`none of ${ROUNDS} changes at the API leaves an old page cached on any web instance`, async ({
  request,
}) => {
  await signInAsAdministrator(request)
  const gateways = instancesOf('gateway')
  for (let round = 0; round < ROUNDS; round += 1) {
    const text = `Change ${round}`
    await putSetting(request, gateways[round % gateways.length]!, 'announcement', text)
    expect(await announcementsOfWeb(), `right after change ${round}`).toEqual(onEach('web', text))
    expect(await announcementsOfWeb(), 'and from the cache').toEqual(onEach('web', text))
  }
})

test('a restarted web-1 finds the entry that web-2 cached', async ({ request }) => {
  await signInAsAdministrator(request)
  await putSetting(request, instancesOf('gateway')[1]!, 'announcement', 'Still cached')
  const [killed, second] = instancesOf('web')
  process.kill(killed!.pid, 'SIGKILL')
  await expect.poll(() => whenBack(killed!), { timeout: 30_000 }).toBeDefined()
  const first = await whenBack(killed!)
  // The outbox repeats the change within seconds, which invalidates the entry: then try again.
  await expect(async () => {
    await announcementOf(second!)
    const before = await responsesOfGateways()
    expect(await announcementOf(first!)).toBe('Still cached')
    expect((await responsesOfGateways()) - before, 'responses for the page of web-1').toBe(0)
  }).toPass()
})
