import type { Bus } from '@repo/cache-broadcast'
import { userTag } from '../lookup/session-record.ts'

/** A change of this instance's own is applied at once, before the log has given it a number. */
const UNNUMBERED = Number.MAX_SAFE_INTEGER

interface Revocation {
  /** The highest number of the log under which it came. */
  n: number
  /** This instance revoked it itself, and may not have heard the number yet. */
  own: boolean
  heardAtMs: number
}

export interface RevocationsOptions {
  link: Bus['link']
  cache: string
  /** How long a revocation is remembered one by one. */
  keepMs: number
  maxEntries?: number
}

/**
 * The revocations of the last minute by their number in the log, so that a cookie that was read at
 * an earlier number is refused (S3). Complete from `floor` on: forgetting one raises the floor over
 * it, so that no clock decides about safety.
 */
export function createRevocations({
  link,
  cache,
  keepMs,
  maxEntries = 10_000,
}: RevocationsOptions) {
  const heard = new Map<string, Revocation>()
  let floor = 0
  let begun = false

  function note(name: string, n: number) {
    const nowMs = link.clock.exact()
    const before = heard.get(name) ?? { n: 0, own: false }
    heard.delete(name)
    const own = before.own || n === UNNUMBERED
    heard.set(name, {
      n: n === UNNUMBERED ? before.n : Math.max(before.n, n),
      own,
      heardAtMs: nowMs,
    })
    prune(nowMs)
  }

  function prune(nowMs: number) {
    for (const [name, { n, heardAtMs }] of heard) {
      if (heard.size <= maxEntries && nowMs - heardAtMs < keepMs) return
      heard.delete(name)
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

  function standsAt(name: string, n: number): boolean {
    const revocation = heard.get(name)
    return revocation === undefined || (!revocation.own && revocation.n <= n)
  }

  return {
    /** Called when this instance hears the bus: what was revoked before, it does not know. */
    begin(): void {
      if (!begun) floor = Math.max(floor, link.applied())
      begun = true
    },
    /** Whether nothing is known against a session that was read at number `n`. */
    allow: (key: string, userId: string, n: number): boolean =>
      begun && n >= floor && standsAt(key, n) && standsAt(userTag(userId), n),
    detach,
  }
}

export type Revocations = ReturnType<typeof createRevocations>
