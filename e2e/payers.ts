import { randomUUID } from 'node:crypto'
import type { APIRequestContext } from '@playwright/test'
import {
  judgeKeyed,
  type KeyedVerdict,
  type SendKeyed,
  sendKeyed,
  startKeyedLoop,
} from '@repo/testing/keyed'
import { EDGE } from './cluster.ts'
import { queryRow } from './database.ts'
import { newPerson, register } from './person.ts'

const CALLERS = 8

export interface Payers {
  /** The number of keys whose clients have their responses. */
  ended(): number
  /** Stops them, and counts their payments in PostgreSQL. */
  stop(): Promise<{
    verdict: KeyedVerdict
    /** The number of payments, and that of different ones. */
    made: { payments: number; references: number }
  }>
}

/**
 * Callers that pay through the edge, each payment with a new key. They send a payment again until it has a
 * response, cut connections, and send payments twice.
 */
export async function startPayers(request: APIRequestContext): Promise<Payers> {
  await register(request, newPerson())
  const { cookies } = await request.storageState()
  const headers = {
    cookie: cookies.map(({ name, value }) => `${name}=${value}`).join('; '),
    origin: EDGE,
    'content-type': 'application/json',
  }
  const run = randomUUID().slice(0, 8)
  const loop = startKeyedLoop(CALLERS, (n) => {
    const key = randomUUID()
    const body = JSON.stringify({ amount: 100, currency: 'EUR', reference: `${run}-${n}` })
    const post = { url: `${EDGE}/api/payments`, key, headers, body }
    const send: SendKeyed = (signal) => sendKeyed(post, signal)
    return { key, send }
  })
  return {
    ended: () => loop.calls.length,
    async stop() {
      const verdict = judgeKeyed(await loop.stop())
      const [payments, references] = await queryRow(
        `select count(*), count(distinct reference) from payment where reference like '${run}-%'`,
      )
      return {
        verdict,
        made: { payments: Number(payments), references: Number(references) },
      }
    },
  }
}
