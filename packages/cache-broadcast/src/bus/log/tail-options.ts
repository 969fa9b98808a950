import type { Redis } from 'ioredis'
import type { Acks } from '../barrier/acks.ts'
import type { BusErrors } from '../error-log.ts'
import type { BusKeys } from '../keys.ts'
import type { Lease } from '../lease.ts'
import type { LegacyNews } from './legacy-news.ts'
import type { LogEntry } from './log-reads.ts'

export interface TailOptions {
  /** A new connection that nobody else uses, not connected yet. */
  connect: () => Redis
  keys: BusKeys
  legacy: LegacyNews
  /** As it is listed among the members. */
  registration: string
  /** The channel on which members say that they applied what this one sent. */
  answers: string
  maxStaleMs: number
  registrationMs: number
  lease: Lease
  now: () => number
  onEntry: (entry: LogEntry) => void
  /** @param isJoined false for a connection that may have missed answers before */
  onAnswer: (text: string, isJoined: boolean) => void
  /** Entries up to `n` may have been missed. */
  onGap: (n: number) => void
  acks: Pick<Acks, 'takePosition' | 'takeJoinPosition'>
  onJoin: () => void
  errors: BusErrors
}
