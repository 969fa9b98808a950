import type { UnderLoad } from '../load/under-load.ts'
import { say } from '../stack/say.ts'

const verdicts: { promise: string; kept: boolean; measured: string }[] = []

/** Records whether a promise holds, with the measured figure. */
export function verdict(promise: string, kept: boolean, measured: string): void {
  verdicts.push({ promise, kept, measured })
  say(`${kept ? 'kept  ' : 'BROKEN'}  ${promise}: ${measured}`)
}

/**
 * The number of faults in the payments: made twice, confirmed and missing, different responses of one key,
 * no response, and the difference between the rows in PostgreSQL and the keys.
 */
export function paymentFaults({ load: { keyed }, made }: UnderLoad): number {
  const faults = made.doubled.length + made.lost.length
  if (!keyed) return faults
  const { keys, differing, unanswered } = keyed
  return faults + differing.length + unanswered.length + Math.abs(made.rows - keys)
}

/** The figures of the payments in one text. */
export function paymentText({ load: { keyed }, made }: UnderLoad): string {
  const counts = `${made.doubled.length} doubled, ${made.lost.length} lost`
  if (!keyed) return counts
  const { keys, repeated, differing, unanswered } = keyed
  return (
    `${counts}, ${made.rows} rows of ${keys} keys that were sent again ${repeated} times, ` +
    `${differing.length} with different responses, ${unanswered.length} without a response`
  )
}

/** No request failed, and each payment was made once, with one response for all clients of its key. */
export function expectFlawless(name: string, result: UnderLoad): void {
  const { load, error } = result
  const isFlawless = load.failed.length + paymentFaults(result) === 0 && error === undefined
  const counts = `${load.failed.length} failed of ${load.sent}; ${paymentText(result)}`
  verdict(name, isFlawless, error ?? counts)
}

/** Prints all verdicts again, one per line. Returns whether all promises hold. */
export function summary(): boolean {
  process.stdout.write('\n')
  for (const { promise, kept, measured } of verdicts) {
    process.stdout.write(`  ${kept ? 'kept  ' : 'BROKEN'}  ${promise}: ${measured}\n`)
  }
  return verdicts.every(({ kept }) => kept)
}
