import { setTimeout as wait } from 'node:timers/promises'
import { EDGE, RATE_PER_SECOND } from '../stack/env.ts'
import { say } from '../stack/say.ts'
import { type LoadReport, startLoad } from './load.ts'
import { checkPayments, type PaymentsMade } from './payments-made.ts'
import { report } from './report.ts'

export interface UnderLoad {
  load: LoadReport
  made: PaymentsMade
  /** The error of the procedure. */
  error?: string
}

/** Runs a procedure under mixed requests, at least until `requests` were sent. */
export async function underLoad(
  name: string,
  {
    requests,
    ratePerSecond = RATE_PER_SECOND,
    keyed,
  }: { requests: number; ratePerSecond?: number; keyed?: boolean },
  procedure: () => Promise<unknown>,
): Promise<UnderLoad> {
  say(`-- ${name}: ${ratePerSecond} requests/s`)
  const load = await startLoad({ edge: EDGE, ratePerSecond, ...(keyed !== undefined && { keyed }) })
  let error: string | undefined
  await procedure().catch((caught: unknown) => (error = String(caught)))
  while (load.progress().sent < requests) await wait(100)
  const result = await load.stop()
  const made = await checkPayments(result.run, result.paid)
  report(name, result, made)
  return { load: result, made, ...(error !== undefined && { error }) }
}
