import { unwatchFile, watchFile } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { retryInBackground } from '@repo/concurrency'
import type { Log } from '@repo/observability'
import { type Limits, parseLimits } from './limits.ts'
import type { LimitsInForce } from './published-limits.ts'

/** The limits of a file. @throws Error that names every fault, on a line each */
export async function readLimits(path: string): Promise<{ text: string; limits: Limits }> {
  const text = await readFile(path, 'utf8')
  const parsed = parseLimits(text)
  if (parsed.outcome === 'valid') return { text, limits: parsed.limits }
  throw new Error(`LIMITS_FILE has ${parsed.faults.length} fault(s):\n${list(parsed.faults)}`)
}

/**
 * Publishes the file at once and whenever it changes: all instances follow within two seconds. One with a fault
 * is said to have it, all at once, and changes nothing. Returns how to stop.
 */
export function followLimits(path: string, limits: LimitsInForce, log: Log): () => void {
  async function publish() {
    const published = await limits.publish(await readFile(path, 'utf8'))
    if (published.outcome === 'invalid') {
      log.error({ event: 'limits.invalid', faults: published.faults }, 'the limits have faults')
    } else if (published.outcome === 'set') {
      log.info({ event: 'limits.published', ...published.delivery }, 'limits of the file hold')
    }
  }

  /** A file that cannot be read, or a database that refuses it, is tried again until it works. */
  function publishUntilDone() {
    stopRetry?.()
    stopRetry = retryInBackground({ task: 'limits.publish', work: publish, lastMs: 2_000, log })
  }

  let stopRetry: (() => void) | undefined
  publishUntilDone()
  // By asking: mounted files and editors that replace a file are not noticed otherwise.
  watchFile(path, { interval: 1_000, persistent: false }, publishUntilDone)
  return () => {
    stopRetry?.()
    unwatchFile(path)
  }
}

function list(faults: string[]): string {
  return faults.map((fault) => `  ${fault}`).join('\n')
}
