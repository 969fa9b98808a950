import type { UnderLoad } from '../load/under-load.ts'
import { say } from '../stack/say.ts'

const verdicts: { promise: string; kept: boolean; measured: string }[] = []

/** Records whether a promise holds, with the measured figure. */
export function verdict(promise: string, kept: boolean, measured: string): void {
  verdicts.push({ promise, kept, measured })
  say(`${kept ? 'kept  ' : 'BROKEN'}  ${promise}: ${measured}`)
}

/** No request failed, no payment was made twice, and no confirmed payment is missing. */
export function expectFlawless(name: string, { load, made, error }: UnderLoad): void {
  const { length: failed } = load.failed
  const flawless = failed + made.doubled.length + made.lost.length === 0 && error === undefined
  const counts = `${failed} failed, ${made.doubled.length} doubled, ${made.lost.length} lost`
  verdict(name, flawless, error ?? `${counts} of ${load.sent}`)
}

/** Prints all verdicts again, one per line. Returns whether all promises hold. */
export function summary(): boolean {
  process.stdout.write('\n')
  for (const { promise, kept, measured } of verdicts) {
    process.stdout.write(`  ${kept ? 'kept  ' : 'BROKEN'}  ${promise}: ${measured}\n`)
  }
  return verdicts.every(({ kept }) => kept)
}
