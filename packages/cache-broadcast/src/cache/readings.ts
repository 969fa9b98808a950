import type { Reading } from '../link.ts'
import { list } from '../run-script.ts'

/** An answer for a value whose loading the caller has claimed. */
export const CLAIMED = '1'
/** An answer of `read` for a value that it did not read. */
export const UNREAD = '4'

/** A reply of `read`: its head, then the answer for each key. */
export function toAnswers(reply: unknown, keys: number): string[] {
  const answers = typeof reply === 'string' ? reply.split('\n') : list(reply).map(String)
  if (answers.length !== keys + 1) throw new TypeError('the batch was not answered whole')
  return answers
}

/** An answer of `read` or `claim` for one key. */
export function toReading(
  answer: unknown,
  { token, version, nowMs }: { token: string; version: string; nowMs: number },
): Reading {
  const mark = String(answer)
  if (mark === CLAIMED) return { outcome: 'claimed', token, version, nowMs }
  if (mark === '2') return { outcome: 'busy' }
  return mark === '3' ? { outcome: 'held' } : { outcome: 'hit', value: mark, nowMs }
}

export function countOf(answers: string[], mark: string): number {
  let count = 0
  for (const answer of answers) if (answer === mark) count += 1
  return count
}
