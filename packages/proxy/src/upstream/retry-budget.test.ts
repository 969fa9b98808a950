import { expect, test } from 'vitest'
import { createRetryBudget } from './retry-budget.ts'

function spendAll(budget: ReturnType<typeof createRetryBudget>, attempts: number): number {
  return Array.from({ length: attempts }, () => budget.spend()).filter(Boolean).length
}

test('at most the saved retries and a tenth of 10000 requests to a dead cluster are retried', () => {
  const budget = createRetryBudget(() => 0)
  let retried = 0
  for (let i = 0; i < 10_000; i += 1) {
    budget.earn()
    if (budget.spend()) retried += 1
  }
  expect(retried).toBeGreaterThanOrEqual(1_000)
  expect(retried).toBeLessThanOrEqual(1_200)
})

test('an empty budget allows ten retries a second', () => {
  let nowMs = 0
  const budget = createRetryBudget(() => nowMs)
  spendAll(budget, 1_000)
  expect(spendAll(budget, 5)).toBe(0)
  nowMs = 1_000
  expect(spendAll(budget, 50)).toBe(10)
})
