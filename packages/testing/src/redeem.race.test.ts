import { contend, expect, test } from '@repo/testing'

const program = new URL('redeemer.fixture.ts', import.meta.url)

const isWon = (outcome: PromiseSettledResult<unknown>) =>
  outcome.status === 'fulfilled' && outcome.value === 'won'

test('exactly one of 300 concurrent redemptions on three replicas wins', async ({
  redisUrl,
  replicas,
}) => {
  const three = await replicas(3, { program, env: { REDIS_URL: redisUrl } })
  const outcomes = await contend(300, (i) => three[i % 3]!.call('redeem', 'the-code'))
  expect(outcomes.filter(isWon)).toHaveLength(1)
})
