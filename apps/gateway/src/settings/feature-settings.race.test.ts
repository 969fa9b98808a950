import { expect, test, until } from '@repo/testing'
import { ask, environment, signedIn } from '../gateway.fixture.ts'
import { serveUpstream } from '../servers.fixture.ts'

const ROUNDS = Number(process.env.RACE_ROUNDS ?? 20)
const program = new URL('../main.ts', import.meta.url)

async function shownBy({ url }: { url: string }): Promise<unknown> {
  return (await ask(url, '/api/settings/public')).body['announcement']
}

test(`each of ${ROUNDS} changes of a setting is in force on three gateways when it is answered; without Redis it is stored, and applied later`, async ({
  replicas,
  databaseUrl,
  ownValkey,
}) => {
  await using upstream = await serveUpstream('auth-1')
  const { cookie } = await signedIn(databaseUrl, 'admin')
  const env = environment({ databaseUrl, redisUrl: ownValkey.url, upstream: upstream.origin })
  const three = await replicas(3, { program, env, ready: '/readyz' })
  const set = (at: number, value: string) =>
    ask(three[at % 3]!.url, '/api/settings/announcement', {
      method: 'PUT',
      body: JSON.stringify({ value }),
      headers: { cookie, 'content-type': 'application/json' },
    })

  for (let round = 0; round < ROUNDS; round += 1) {
    const value = `round ${round}`
    const answer = await set(round, value)
    const acked = expect.toSatisfy(
      (ids: string[]) => ids.toSorted().join() === three.map(({ id }) => id).join(),
    )
    const delivery = { outcome: 'everywhere', acked, lapsed: [], failed: [] }
    expect(answer).toMatchObject({ status: 200, body: { delivery } })
    expect(await Promise.all(three.map(shownBy))).toEqual([value, value, value])
  }

  await ownValkey.pause()
  const pending = await set(0, 'while Redis hangs')
  expect(pending).toMatchObject({
    status: 200,
    body: { setting: { value: 'while Redis hangs' }, delivery: { outcome: 'pending' } },
  })
  expect(pending.ms).toBeLessThan(1_000)
  // Without Redis no gateway trusts its cache for longer than a second.
  await until(async () =>
    (await Promise.all(three.map(shownBy))).every((text) => text === 'while Redis hangs'),
  )
  ownValkey.resume()
  await until(async () => {
    const again = await set(1, 'Redis is back')
    return JSON.stringify(again.body).includes('everywhere')
  })
  expect(await Promise.all(three.map(shownBy))).toEqual(Array(3).fill('Redis is back'))
  for (const replica of three) expect(await replica.terminate()).toBe(0)
})
