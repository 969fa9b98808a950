import { expect, test } from '@repo/testing'
import { limiterKeys } from '../keys.ts'
import { parsePolicies } from '../policy.ts'
import { createRules } from '../rules.ts'
import type { Asked } from '../store.ts'
import { createBatch } from './batch.ts'

const CHECKS = 10_000
/** As `batch.ts` says, and one batch. */
const MOST_SENT = 4_000 + 124

const parsed = parsePolicies([{ name: 'p', quota: 5, windowMs: 60_000, by: 'ip' }])
const rules = createRules(parsed.outcome === 'valid' ? parsed.policies : [], 56, limiterKeys())

/** A batch whose store answers when the test says so. */
function openBatch() {
  const sent: { size: number; end: (error?: Error) => void }[] = []
  const outcomes = { answered: 0, unanswered: 0 }
  let most = 0
  const ask = createBatch((batch, onEnd) => {
    function end(error?: Error) {
      onEnd(error)
      for (const { answered, unanswered } of batch) {
        if (error) unanswered(error)
        else answered({ admitted: 1, limits: [] }, 0)
      }
    }
    sent.push({ size: batch.length, end })
    most = Math.max(
      most,
      sent.reduce((sum, { size }) => sum + size, 0),
    )
  })
  function check(i: number): Asked {
    return {
      check: {
        ...{ kind: 'take', lease: '', times: 1 },
        needs: rules.plan('take', ['p'], `${i}`).needs,
      },
      answered: () => void (outcomes.answered += 1),
      unanswered: () => void (outcomes.unanswered += 1),
    }
  }
  return { ask, check, sent, outcomes, most: () => most }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test(`of ${CHECKS} checks at once a part is sent at a time, and each is answered`, async () => {
  const { ask, check, sent, outcomes, most } = openBatch()
  for (let i = 0; i < CHECKS; i += 1) ask(check(i))
  await nextTurn()
  while (sent.length > 0) sent.shift()?.end()
  expect(outcomes).toEqual({ answered: CHECKS, unanswered: 0 })
  expect(most()).toBeGreaterThan(3_900)
  expect(most()).toBeLessThanOrEqual(MOST_SENT)
})

test('when a batch is not answered, the checks behind it fail at once, and later ones are sent', async () => {
  const { ask, check, sent, outcomes } = openBatch()
  for (let i = 0; i < CHECKS; i += 1) ask(check(i))
  await nextTurn()
  const first = sent.splice(0)
  const failed = first.shift()
  failed?.end(new Error('no answer'))
  const behind = CHECKS - first.reduce((sum, { size }) => sum + size, 0)
  expect(outcomes).toEqual({ answered: 0, unanswered: behind })
  for (const { end } of first) end()
  ask(check(0))
  await nextTurn()
  for (const { end } of sent) end()
  expect(outcomes).toEqual({ answered: CHECKS - behind + 1, unanswered: behind })
})
