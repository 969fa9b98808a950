import { contend, expect, test } from '@repo/testing'

const program = new URL('redeemer.fixture.ts', import.meta.url)

test('of 300 concurrent redemptions on three replicas, exactly one wins', async ({
  redisUrl,
  replicas,
}) => {
  const three = await replicas(3, { program, env: { REDIS_URL: redisUrl } })
  const outcomes = await contend(300, (i) => three[i % 3]!.call('redeem', 'the-code'))
  expect(outcomes.filter((it) => it.status === 'fulfilled' && it.value === 'won')).toHaveLength(1)
})
