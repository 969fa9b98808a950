import type { Redis } from 'ioredis'
import { runBatch } from './run-script.ts'
import { declareTagged } from './tag-scripts.ts'

/** The list in Redis is renewed after this time, long before its entries end. */
const RENEW_MS = 3_600_000

export type Tagged = ReturnType<typeof createTagged>

/**
 * Lists the caches of this process that declare tags, in Redis: before their first read or write, after
 * each time the instance joined the bus, and every hour. An entry that invalidates a tag names the
 * listed caches, so that a member that declares no tags for one of them clears it.
 */
export function createTagged({
  meta,
  names,
  call,
  joins,
  now,
}: {
  meta: string
  names: () => Set<string>
  call: <T>(command: (client: Redis) => Promise<T>) => Promise<T>
  /** How often the instance has joined the bus. */
  joins: () => number
  now: () => number
}) {
  let listed: { names: string; join: number; atMs: number } | undefined

  function text(): string {
    return [...names()].join(',')
  }

  async function list(declared: string): Promise<void> {
    await call((client) => runBatch(client, declareTagged, [meta], [declared]))
  }

  return {
    text,
    /** The returned promise rejects if the list could not be renewed; it is tried again then. */
    ensure(): Promise<void> | undefined {
      const join = joins()
      const nowMs = now()
      if (listed?.join === join && nowMs - listed.atMs < RENEW_MS) return undefined
      const declared = text()
      const before = listed
      listed = { names: declared, join, atMs: nowMs }
      return list(declared).catch((error: unknown) => {
        listed = before
        throw error
      })
    },
    /** A further cache declares tags. */
    changed(): void {
      listed = undefined
    },
  }
}
