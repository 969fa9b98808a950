import type { LogEntry } from './log-reads.ts'

/**
 * Entries that this process has read from the log before they were published. When one is published
 * later, it is known: the server was not set back.
 */
export function createEarlyReads() {
  const texts = new Map<number, string>()

  return {
    add: ({ n, text }: LogEntry) => void texts.set(n, text),
    has: ({ n, text }: LogEntry) => texts.get(n) === text,
    /** The entries through this number were published. */
    published(through: number): void {
      for (const n of texts.keys()) if (n <= through) texts.delete(n)
    },
  }
}
