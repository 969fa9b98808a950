import { randomUUID } from 'node:crypto'
import { type APIRequestContext, expect, test } from '@playwright/test'
import { EDGE, instancesOf, type RunningInstance, whenBack } from '../cluster.ts'
import { fillForm, holdPayments, notice, openForm, payButton, readReferences } from '../payments.ts'
import { newPerson, register, signUp } from '../person.ts'

/** The gateways that wait for a response of payments. */
async function waitingGateways(): Promise<RunningInstance[]> {
  const gateways = await Promise.all(
    instancesOf('gateway').map(async (gateway) => {
      const text = await (await fetch(`${gateway.url}/metrics`)).text()
      const inFlight =
        /^threefold_proxy_target_in_flight\{[^}]*upstream="payments"[^}]*\} ([1-9]\d*)$/m
      return inFlight.test(text) ? [gateway] : []
    }),
  )
  return gateways.flat()
}

const victims = {
  payments: async (held: Awaited<ReturnType<typeof holdPayments>>) => held.waiting(),
  gateway: async () => waitingGateways(),
}

for (const app of ['payments', 'gateway'] as const) {
  test(`a form whose ${app} instance is killed with -9 while it is sent makes one payment`, async ({
    page,
  }) => {
    await signUp(page, newPerson())
    await openForm(page)
    await fillForm(page, `kill of ${app}`)
    await using held = await holdPayments()
    await payButton(page).click({ noWaitAfter: true })
    const victim = await expectOne(() => victims[app](held))
    process.kill(victim.pid, 'SIGKILL')
    await held.release()
    // The response may be that the payment is in progress. Then the form is sent again.
    await expect(async () => {
      if (await payButton(page).isEnabled()) {
        const isDone = await notice(page)
          .getByText(/The payment was made|was already made/)
          .isVisible()
        if (!isDone) await payButton(page).click()
      }
      await expect(notice(page).getByText(/The payment was made|was already made/)).toBeVisible({
        timeout: 3_000,
      })
    }).toPass({ timeout: 40_000 })
    expect(await readReferences(page.request)).toEqual([`kill of ${app}`])
    await expect.poll(() => whenBack(victim), { timeout: 30_000 }).toBeDefined()
  })
}

async function expectOne(find: () => Promise<RunningInstance[]>): Promise<RunningInstance> {
  let found: RunningInstance[] = []
  await expect
    .poll(async () => {
      found = await find()
      return found.length
    })
    .toBe(1)
  return found[0]!
}

/** Sends a payment of a program through the edge until it has a final response. */
async function payUntilDone(request: APIRequestContext, key: string, reference: string) {
  const data = { amount: 1_250, currency: 'EUR', reference }
  for (;;) {
    const response = await request.post(`${EDGE}/api/payments`, {
      data,
      headers: { origin: EDGE, 'idempotency-key': key },
    })
    const status = response.status()
    if (status === 201)
      return { body: await response.text(), location: response.headers()['location'] }
    expect([409, 429, 502, 503]).toContain(status)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

test('a program that repeats its keyed payments while payments instances are killed makes each of them once', async ({
  request,
}) => {
  await register(request, newPerson())
  const keys = Array.from({ length: 60 }, () => randomUUID())
  const victim = instancesOf('payments')[0]!
  const paid = Promise.all(
    keys.map(async (key, i) => {
      await new Promise((resolve) => setTimeout(resolve, i * 20))
      return payUntilDone(request, key, `key ${i}`)
    }),
  )
  process.kill(victim.pid, 'SIGKILL')
  const first = await paid
  const again = await Promise.all(keys.map((key, i) => payUntilDone(request, key, `key ${i}`)))
  expect(again).toEqual(first)
  expect(new Set(await readReferences(request)).size).toBe(60)
  expect(await readReferences(request)).toHaveLength(60)
  await expect.poll(() => whenBack(victim), { timeout: 30_000 }).toBeDefined()
})
