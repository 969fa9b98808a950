import { unwatchFile, watchFile } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { retryInBackground } from '@repo/concurrency'
import type { Log } from '@repo/observability'
import type { Route } from '../routing/route.ts'
import { type Limits, parseLimits } from './limits.ts'
import type { PublishedLimits } from './published-limits.ts'

/** The limits of a file. @throws Error that names every fault, on a line each */
export async function readLimits(
  path: string,
  routes: readonly Route[],
): Promise<{ text: string; limits: Limits }> {
  const text = await readFile(path, 'utf8')
  const parsed = parseLimits(text, routes)
  if (parsed.outcome === 'valid') return { text, limits: parsed.limits }
  throw new Error(`LIMITS_FILE has ${parsed.faults.length} fault(s):\n${list(parsed.faults)}`)
}

/**
 * Publishes the file now and after each change; all instances apply it within two seconds. The
 * faults of an invalid file are logged, and the old limits stay in force. Returns a function that
 * stops it.
 */
export function followLimits(path: string, limits: PublishedLimits, log: Log): () => void {
  async function publish() {
    const result = await limits.publish(await readFile(path, 'utf8'))
    if (result.outcome === 'invalid') {
      log.error({ event: 'limits.invalid', faults: result.faults }, 'the limits have faults')
    } else if (result.outcome === 'set') {
      log.info(
        { event: 'limits.published', ...result.delivery },
        'the limits of the file are in force',
      )
    }
  }

  /** Tries again while the file cannot be read or the database refuses the change. */
  function publishUntilDone() {
    stopRetry?.()
    stopRetry = retryInBackground({ task: 'limits.publish', work: publish, lastMs: 2_000, log })
  }

  let stopRetry: (() => void) | undefined
  publishUntilDone()
  // Polling also detects changes of mounted files, and of files that an editor replaces.
  watchFile(path, { interval: 1_000, persistent: false }, publishUntilDone)
  return () => {
    stopRetry?.()
    unwatchFile(path)
  }
}

function list(faults: string[]): string {
  return faults.map((fault) => `  ${fault}`).join('\n')
}
