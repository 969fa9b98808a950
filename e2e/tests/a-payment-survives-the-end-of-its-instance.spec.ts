import { randomUUID } from 'node:crypto'
import { expect, test } from '@playwright/test'
import { callKeyed, judgeKeyed, keyedHeaders } from '@repo/testing/keyed'
import { EDGE, instancesOf, type RunningInstance, whenBack } from '../cluster.ts'
import {
  DONE,
  fillForm,
  holdPayments,
  notice,
  openForm,
  payButton,
  readReferences,
} from '../payments.ts'
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
        const isDone = await notice(page).getByText(DONE).isVisible()
        if (!isDone) await payButton(page).click()
      }
      await expect(notice(page).getByText(DONE)).toBeVisible({
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

test('a program that repeats its keyed payments while a payments instance is killed in them makes each of them once', async ({
  request,
}) => {
  await register(request, newPerson())
  await using held = await holdPayments()
  const paid = Promise.all(
    Array.from({ length: 60 }, (_, n) => {
      const key = randomUUID()
      const options = {
        data: { amount: 1_250, currency: 'EUR', reference: `key ${n}` },
        headers: { origin: EDGE, 'idempotency-key': key },
      }
      return callKeyed({
        key,
        habit: 'again',
        async send() {
          const response = await request.post(`${EDGE}/api/payments`, options)
          const headers = response.headers()
          // The clients of a key compare its location too.
          const body = `${headers['location']} ${await response.text()}`
          return { status: response.status(), body, ...keyedHeaders((name) => headers[name]) }
        },
      })
    }),
  )
  await expect.poll(() => held.waiting()).not.toEqual([])
  const [victim] = await held.waiting()
  if (!victim) throw new Error('no payment waits for its insert')
  process.kill(victim.pid, 'SIGKILL')
  await held.release()
  const calls = await paid
  expect(judgeKeyed(calls)).toMatchObject({ differing: [], unanswered: [], refused: [] })
  const failures = calls.flatMap((call) => call.failures)
  expect(failures.filter((reason) => !/^50[23] /.test(reason))).toEqual([])
  const references = await readReferences(request)
  expect(references).toHaveLength(60)
  expect(new Set(references).size).toBe(60)
  await expect.poll(() => whenBack(victim), { timeout: 30_000 }).toBeDefined()
})
