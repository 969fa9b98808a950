import { randomUUID } from 'node:crypto'
import { expect, test } from '@playwright/test'
import { newPerson, signUp } from '../person.ts'
import { readTraces } from '../traces.ts'

test('a payment through a form is one trace of at least 8 spans over 4 instances, without a secret', async ({
  page,
}) => {
  const person = newPerson()
  await signUp(page, person)
  const reference = `invoice ${randomUUID()}`
  await page.goto('/payments')
  await page.getByLabel('Amount').fill('12')
  await page.getByLabel('Reference').fill(reference)
  await page.getByRole('button', { name: /^Pay/ }).click()
  await expect(page.getByText(reference).first()).toBeVisible()

  await expect(async () => {
    const { spans } = await readTraces()
    const insert = spans.findLast(({ name }) => name === 'postgres insert payment')
    const trace = spans.filter(({ traceId }) => traceId === insert?.traceId)
    const ids = new Set(trace.map(({ spanId }) => spanId))
    const orphans = trace.filter(({ parentSpanId }) => parentSpanId && !ids.has(parentSpanId))
    expect(orphans).toEqual([])
    expect(trace.filter(({ parentSpanId }) => !parentSpanId)).toHaveLength(1)
    expect(trace.length).toBeGreaterThanOrEqual(8)
    const apps = new Set(trace.map(({ instance }) => instance.split('-', 1)[0]))
    expect([...apps]).toEqual(expect.arrayContaining(['edge', 'gateway', 'payments', 'web']))
  }).toPass()

  const { bytes } = await readTraces()
  const cookies = await page.context().cookies()
  const tokens = cookies
    .map(({ value }) => decodeURIComponent(value))
    .filter((value) => value.length > 16)
  expect(tokens.length).toBeGreaterThan(0)
  for (const secret of [person.email, person.password, reference, ...tokens]) {
    expect(bytes).not.toContain(secret)
  }
})
