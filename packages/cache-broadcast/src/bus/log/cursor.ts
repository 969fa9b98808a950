import { type LogEntry, sha1 } from './log-reads.ts'

export interface CursorOptions {
  onEntry: (entry: LogEntry) => void
  /** Entries up to `n` may have been missed. */
  onGap: (n: number) => void
}

/** The position of this process in the log: the number and the text of the last applied entry. */
export function createCursor({ onEntry, onGap }: CursorOptions) {
  let last = 0
  let lastText: string | undefined
  let lastSha = ''
  /** An entry was applied in part: the next join must drop all values. */
  let isInDoubt = false
  let highest = 0
  const waiting = new Set<{ n: number; resolve: () => void }>()

  function wake(): void {
    for (const waiter of waiting) {
      if (waiter.n > last) continue
      waiting.delete(waiter)
      waiter.resolve()
    }
  }

  function shaOfLast(): string {
    return lastText === undefined ? lastSha : sha1(lastText)
  }

  return {
    last: () => last,
    behind: () => Math.max(0, highest - last),
    /** Notes that an entry with this number exists. */
    note(n: number): void {
      if (n > highest) highest = n
    },
    /** The entry after which to continue; an empty number: this process must join without one. */
    anchor: () => ({ n: last === 0 || isInDoubt ? '' : String(last), sha: shaOfLast() }),
    /** Whether an entry that has the number of the last applied entry is the same entry. */
    isLast: (entry: LogEntry) => (entry.sha ?? sha1(entry.text)) === shaOfLast(),
    apply(entry: LogEntry): void {
      isInDoubt = true
      if (entry.n !== last + 1) onGap(entry.n)
      last = entry.n
      lastText = entry.sha === undefined ? entry.text : undefined
      lastSha = entry.sha ?? ''
      highest = Math.max(highest, entry.n)
      onEntry(entry)
      isInDoubt = false
      if (waiting.size > 0) wake()
    },
    /** Continues after entry `n`, and skips the entries before it. */
    moveTo(n: number, sha: string): void {
      const isMissing = last !== 0
      last = n
      lastText = undefined
      lastSha = sha
      if (isMissing) onGap(n)
      isInDoubt = false
      wake()
    },
    /** Resolves when entry `n` is applied, or after `timeoutMs`. */
    async reached(n: number, timeoutMs: number): Promise<void> {
      if (n <= last) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const waiter = { n, resolve }
      waiting.add(waiter)
      const timer = setTimeout(resolve, timeoutMs)
      await promise
      clearTimeout(timer)
      waiting.delete(waiter)
    },
  }
}
