import { runInBackground } from '@repo/concurrency'
import type { ConnectionLog } from '@repo/redis'
import type { Redis } from 'ioredis'
import type { Lease } from './lease.ts'
import type { Sink } from './link.ts'
import { runBatch } from './run-script.ts'
import type { createSinks } from './sinks.ts'
import { declareTagged } from './tag-scripts.ts'

/** The list in Redis is renewed after this time, long before its entries end. */
const RENEW_MS = 3_600_000

/**
 * Lists in Redis the caches of this process that declare tags: each time the instance joins the bus,
 * before their first read or write, and every hour. An entry that invalidates a tag contains the listed
 * caches, so that a member that declares no tags for one of them clears it.
 */
export function createTagged({
  meta,
  sinks,
  lease,
  log,
  call,
  now,
}: {
  meta: string
  sinks: ReturnType<typeof createSinks>
  /** The lease begins each time that the instance has joined the bus. */
  lease: Lease
  log: ConnectionLog | undefined
  call: <T>(command: (client: Redis) => Promise<T>) => Promise<T>
  now: () => number
}) {
  let listed: { join: number; atMs: number } | undefined

  function text(): string {
    return [...sinks.tagged].join(',')
  }

  async function send(declared: string): Promise<void> {
    await call((client) => runBatch(client, declareTagged, [meta], [declared]))
  }

  function ensure(): Promise<void> | undefined {
    const join = lease.lapses
    const nowMs = now()
    if (listed?.join === join && nowMs - listed.atMs < RENEW_MS) return undefined
    const declared = text()
    if (declared === '') return undefined
    const before = listed
    listed = { join, atMs: nowMs }
    return send(declared).catch((error: unknown) => {
      listed = before
      throw error
    })
  }

  /** If it fails, the next read of such a cache tries again. */
  function list(): void {
    listed = undefined
    runInBackground('cache.tags', ensure, log)
  }

  return {
    text,
    /** Rejects if the list could not be renewed; the next call tries again. */
    ensure,
    list,
    /** Returns a function that detaches the cache. */
    attach(sink: Sink): () => void {
      const isNew = sink.hasTags === true && !sinks.tagged.has(sink.cache)
      const detach = sinks.attach(sink)
      if (isNew) listed = undefined
      if (isNew && lease.untilMs > 0) list()
      return detach
    },
  }
}
