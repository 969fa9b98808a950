import type { KeyedVerdict } from '@repo/testing/keyed'
import { say } from '../stack/say.ts'
import type { LoadReport } from './load.ts'
import type { PaymentsMade } from './payments-made.ts'

const SHOWN = 5

/** Prints one line of figures, and the first failures. */
export function report(name: string, load: LoadReport, made: PaymentsMade): void {
  const { p50, p95, p99, max } = load.latencyMs
  const payments = `${load.paid.length} paid, ${made.doubled.length} doubled, ${made.lost.length} lost`
  say(
    `${name}: ${load.sent} sent, ${load.failed.length} failed; ${payments}; ` +
      `ms p50 ${p50}, p95 ${p95}, p99 ${p99}, max ${max}; ${load.servedBy.size} instances`,
  )
  if (load.keyed) say(`  ${keyedText(load.keyed, made)}`)
  for (const { atMs, kind, reason } of load.failed.slice(0, SHOWN)) {
    say(`  failed at ${(atMs / 1_000).toFixed(1)} s: ${kind}: ${reason}`)
  }
}

/** One line about the keys of payments. */
function keyedText(keyed: KeyedVerdict, { rows }: PaymentsMade): string {
  const { keys, repeated, replays, conflicts, differing, unanswered, longestMs } = keyed
  return (
    `${keys} keys, ${rows} rows; sent again ${repeated} times: ${replays} replays, ${conflicts} conflicts; ` +
    `${differing.length} keys with different responses, ${unanswered.length} without a response; ` +
    `longest wait ${longestMs} ms`
  )
}
