import { type APIRequestContext, expect, type Page } from '@playwright/test'
import { Client } from 'pg'
import { EDGE, instancesOf, readCluster, type RunningInstance } from './cluster.ts'

/** Opens a new payment form, and returns its address. */
export async function openForm(page: Page): Promise<string> {
  await page.goto('/payments')
  await expect(page).toHaveURL(/\/payments\?form=[\w-]{36}$/)
  return page.url()
}

export async function fillForm(page: Page, reference: string, amount = '12.50'): Promise<void> {
  await page.getByLabel('Amount').fill(amount)
  await page.getByLabel('Reference').fill(reference)
}

export const payButton = (page: Page) => page.getByRole('button', { name: 'Pay' })

/** The notice that a form was sent again, or that its payment was made. */
export const notice = (page: Page) => page.getByRole('status')

export const AGAIN = 'This payment was already made'
export const MADE = 'The payment was made.'
/** Either of them. */
export const DONE = /The payment was made|was already made/

/** The references of all payments of the signed-in person. */
export async function readReferences(request: APIRequestContext): Promise<string[]> {
  const response = await request.get(`${EDGE}/api/payments`)
  expect(response.status()).toBe(200)
  const { payments } = await response.json()
  return payments.map(({ reference }: { reference: string }) => reference)
}

export interface HeldPayments extends AsyncDisposable {
  /** The instances of payments whose insert waits. */
  waiting(): Promise<RunningInstance[]>
  /** Lets all payments continue. */
  release(): Promise<void>
}

const databaseUrl = () => readCluster().databaseUrl

/** Holds all new payments inside of their transaction, until they are released. */
export async function holdPayments(): Promise<HeldPayments> {
  // A transaction reads `pg_stat_activity` once and caches it, so another connection reads it.
  const [holder, observer] = [new Client(databaseUrl()), new Client(databaseUrl())]
  await Promise.all([holder.connect(), observer.connect()])
  await holder.query('begin')
  await holder.query('lock table payment in share mode')
  let isOpen = true

  async function release() {
    if (!isOpen) return
    isOpen = false
    await holder.query('rollback')
    await Promise.all([holder.end(), observer.end()])
  }

  return {
    async waiting() {
      const { rows } = await observer.query<{ name: string }>(
        `select application_name as name from pg_stat_activity
         where wait_event_type = 'Lock' and query like 'insert into "payment"%'`,
      )
      const names = new Set(rows.map(({ name }) => name))
      return instancesOf('payments').filter(({ id }) => names.has(id))
    },
    release,
    [Symbol.asyncDispose]: release,
  }
}
