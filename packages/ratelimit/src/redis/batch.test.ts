import { expect, test } from '@repo/testing'
import { limiterKeys } from '../keys.ts'
import { parsePolicies } from '../policy.ts'
import { createRules } from '../rules.ts'
import type { PendingCheck } from '../store.ts'
import { createBatch } from './batch.ts'

const CHECKS = 10_000
/** The limit of `batch.ts`, and one batch. */
const MAX_IN_FLIGHT = 4_000 + 124

const parsed = parsePolicies([{ name: 'p', quota: 5, windowMs: 60_000, by: 'ip' }])
const rules = createRules(parsed.outcome === 'valid' ? parsed.policies : [], 56, limiterKeys())

/** A batch whose store replies when the test calls `end`. */
function openBatch() {
  const sent: { size: number; end: (error?: Error) => void }[] = []
  const outcomes = { decided: 0, failed: 0 }
  let most = 0
  const ask = createBatch((batch, onEnd) => {
    function end(error?: Error) {
      onEnd(error)
      for (const { onVerdict, onError } of batch) {
        if (error) onError(error)
        else onVerdict({ admitted: 1, limits: [] }, 0)
      }
    }
    sent.push({ size: batch.length, end })
    most = Math.max(
      most,
      sent.reduce((sum, { size }) => sum + size, 0),
    )
  })
  function check(i: number): PendingCheck {
    return {
      check: {
        kind: 'take',
        holder: '',
        times: 1,
        needs: rules.plan('take', ['p'], `${i}`).needs,
      },
      onVerdict: () => void (outcomes.decided += 1),
      onError: () => void (outcomes.failed += 1),
    }
  }
  return { ask, check, sent, outcomes, most: () => most }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test(`${CHECKS} concurrent checks are sent in parts, and each has one outcome`, async () => {
  const { ask, check, sent, outcomes, most } = openBatch()
  for (let i = 0; i < CHECKS; i += 1) ask(check(i))
  await nextTurn()
  while (sent.length > 0) sent.shift()?.end()
  expect(outcomes).toEqual({ decided: CHECKS, failed: 0 })
  expect(most()).toBeGreaterThan(3_900)
  expect(most()).toBeLessThanOrEqual(MAX_IN_FLIGHT)
})

test('when a batch has no reply, the checks that wait for it fail at once, and later ones are sent', async () => {
  const { ask, check, sent, outcomes } = openBatch()
  for (let i = 0; i < CHECKS; i += 1) ask(check(i))
  await nextTurn()
  const first = sent.splice(0)
  const failed = first.shift()
  failed?.end(new Error('no answer'))
  const behind = CHECKS - first.reduce((sum, { size }) => sum + size, 0)
  expect(outcomes).toEqual({ decided: 0, failed: behind })
  for (const { end } of first) end()
  ask(check(0))
  await nextTurn()
  for (const { end } of sent) end()
  expect(outcomes).toEqual({ decided: CHECKS - behind + 1, failed: behind })
})
