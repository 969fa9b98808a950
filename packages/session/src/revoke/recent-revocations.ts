import type { Bus } from '@repo/cache-broadcast'
import { userTag } from '../lookup/session-record.ts'

/** A change by this instance is applied at once, before it has a number in the log. */
const UNNUMBERED = Number.MAX_SAFE_INTEGER

interface Revocation {
  /** The highest number of its messages in the log. */
  n: number
  /** This instance revoked the session, and may not have received the number. */
  isLocal: boolean
  receivedAtMs: number
}

export interface RevocationsOptions {
  link: Bus['link']
  cache: string
  /** The time for which each revocation is stored. */
  keepMs: number
  maxEntries?: number
}

/**
 * The revocations of the last minute by their number in the log. A second cookie that was read at an
 * earlier number is refused (S3). The list is complete from `floor` on: the removal of a revocation
 * raises the floor to its number, so that no clock decides about safety.
 */
export function createRevocations({
  link,
  cache,
  keepMs,
  maxEntries = 10_000,
}: RevocationsOptions) {
  const received = new Map<string, Revocation>()
  let floor = 0
  let hasBegun = false

  function note(name: string, n: number) {
    const nowMs = link.clock.exact()
    const before = received.get(name) ?? { n: 0, isLocal: false }
    received.delete(name)
    const isLocal = before.isLocal || n === UNNUMBERED
    received.set(name, {
      n: n === UNNUMBERED ? before.n : Math.max(before.n, n),
      isLocal,
      receivedAtMs: nowMs,
    })
    prune(nowMs)
  }

  function prune(nowMs: number) {
    for (const [name, { n, receivedAtMs }] of received) {
      if (received.size <= maxEntries && nowMs - receivedAtMs < keepMs) return
      received.delete(name)
      floor = Math.max(floor, n)
    }
  }

  const detach = link.attach({
    cache,
    drop: (keys, n) => keys.forEach((key) => note(key, n)),
    soften: (keys, n) => keys.forEach((key) => note(key, n)),
    dropTags: (tags, n) => tags.forEach((tag) => note(tag, n)),
    softenTags: (tags, n) => tags.forEach((tag) => note(tag, n)),
    clear(n) {
      floor = Math.max(floor, n === UNNUMBERED ? link.applied() : n)
    },
  })

  function isValidAt(name: string, n: number): boolean {
    const revocation = received.get(name)
    return revocation === undefined || (!revocation.isLocal && revocation.n <= n)
  }

  return {
    /** Called when this instance joins the bus: earlier revocations are not in the list. */
    begin(): void {
      if (!hasBegun) floor = Math.max(floor, link.applied())
      hasBegun = true
    },
    /** Returns whether no revocation followed a session that was read at number `n` (S3). */
    allow: (key: string, userId: string, n: number): boolean =>
      hasBegun && n >= floor && isValidAt(key, n) && isValidAt(userTag(userId), n),
    detach,
  }
}

export type Revocations = ReturnType<typeof createRevocations>
