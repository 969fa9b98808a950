import { sendScript } from '@repo/redis'
import type { Redis } from 'ioredis'
import { requireList } from '../../input.ts'
import type { BusErrors } from '../bus-errors.ts'
import type { BusKeys } from '../keys.ts'
import { publishAnswer } from '../log/log-reads.ts'
import { encodeAnswer, isTallied, senderOf } from './member.ts'
import { applied, decodeTallyOf, readTally, type Tally } from './tally.ts'

export interface Position {
  /** The number of the last entry that this member has applied. */
  n: number
  /** The number after which this member answers for each entry separately, or ''. */
  behind: string
  wasBehind: boolean
}

export interface AcksOptions {
  member: string
  keys: Pick<BusKeys, 'answers'>
  /** How long this member answers separately for entries after a gap, in ms: longer than barriers wait. */
  registrationMs: number
  /** The number of the last entry that this member has applied. */
  last: () => number
  /** Answers for one entry to its sender; returns whether the answer was sent. */
  answer: (channel: string, text: string) => Promise<boolean>
  /** Answers for an entry of this process. */
  answerSelf: (origin: string, isApplied: boolean) => void
  /** Notes the position in the tally. */
  tally: (position: Position) => void
}

export type Acks = ReturnType<typeof createAcks>

/**
 * Reports to senders that this member has applied their entries. For a sender of this release, one note
 * of the position in the log covers all entries of a turn. While the handlers of an entry run, this
 * entry and all later ones are answered separately, so handlers that hang hold up no other barrier. A
 * failed handler is always answered separately, before the position passes its entry.
 */
export function createAcks(options: AcksOptions) {
  /** The entries whose handlers run. */
  const running = new Set<number>()
  /** The entries that failed, until the answer to their sender is sent. */
  const failing = new Map<number, string>()
  /** The number after which entries were missed. */
  let missedAfter: number | undefined
  let forgetting: NodeJS.Timeout | undefined
  let done: { n: number; origin: string }[] = []
  let notedThrough = 0
  let isBehind = false
  let isScheduled = false

  async function answer(origin: string, isApplied: boolean): Promise<boolean> {
    const sender = senderOf(origin)
    if (sender === options.member) {
      options.answerSelf(origin, isApplied)
      return true
    }
    const text = encodeAnswer({ origin, member: options.member, applied: isApplied })
    return options.answer(options.keys.answers(sender), text)
  }

  async function fail(n: number, origin: string): Promise<void> {
    failing.set(n, origin)
    if (await answer(origin, false)) failing.delete(n)
  }

  /** An entry of this process needs no round trip. A noted position covers each later entry. */
  function confirm(n: number, origin: string): void {
    if (senderOf(origin) === options.member || n <= notedThrough) void answer(origin, true)
    else done.push({ n, origin })
  }

  function schedule(): void {
    if (isScheduled) return
    isScheduled = true
    setImmediate(note)
  }

  function note(): void {
    isScheduled = false
    options.tally(takePosition())
  }

  function findBehind(entries: Iterable<number>): string {
    let after = missedAfter ?? Number.POSITIVE_INFINITY
    for (const n of entries) after = Math.min(after, n - 1)
    return after === Number.POSITIVE_INFINITY ? '' : String(after)
  }

  /** The position to note. Entries that it does not cover are answered separately, now or later. */
  function takePosition(behind = findBehind(running)): Position {
    if (behind !== '') {
      for (const { n, origin } of done) if (n > Number(behind)) void answer(origin, true)
    }
    done = []
    notedThrough = options.last()
    const position = { n: notedThrough, behind, wasBehind: isBehind }
    isBehind = behind !== ''
    return position
  }

  return {
    takePosition,
    /** The position on a new connection: answers on the former connection may be lost. */
    takeJoinPosition: () => takePosition(findBehind([...running, ...failing.keys()])),
    /** The position after the new connection has joined. */
    rejoined(): Position {
      for (const [n, origin] of failing) void fail(n, origin)
      return takePosition()
    },
    /** Entries after the last noted position were missed, and will not be applied. */
    missed(): void {
      missedAfter = Math.min(notedThrough, missedAfter ?? notedThrough)
      // Barriers of the entries that were missed last may be in flight for as long again.
      clearTimeout(forgetting)
      forgetting = setTimeout(() => {
        missedAfter = undefined
        schedule()
      }, options.registrationMs).unref()
    },
    applied(n: number, origin: string): void {
      if (!isTallied(origin)) return void answer(origin, true)
      confirm(n, origin)
      schedule()
    },
    started(n: number, origin: string): void {
      if (!isTallied(origin)) return
      running.add(n)
      schedule()
    },
    ended(n: number, origin: string, isApplied: boolean): void {
      if (!isTallied(origin)) return void answer(origin, isApplied)
      running.delete(n)
      if (isApplied) confirm(n, origin)
      else void fail(n, origin)
      if (isBehind && running.size === 0) schedule()
    },
    /** An entry that this release cannot apply. */
    failed(n: number, origin: string): void {
      if (!isTallied(origin)) return void answer(origin, false)
      void fail(n, origin)
      schedule()
    },
  }
}

export interface ReportsOptions {
  names: string[]
  registration: string
  errors: BusErrors
  /** The connection that received the entries: it exists whenever there is an entry to report. */
  connection: () => Redis | undefined
  /** The same connection, after it has joined: earlier, the position may not fit the server. */
  joined: () => Redis | undefined
}

/** Sends the reports of this member. A later position covers a report that is not sent. */
export function createReports(options: ReportsOptions) {
  const { names, registration, errors } = options

  return {
    /** Answers for one entry; returns whether the answer was sent. */
    async answer(channel: string, text: string): Promise<boolean> {
      try {
        const isSent = await publishAnswer(options.connection(), channel, text)
        errors.succeeded('answer')
        return isSent
      } catch (error) {
        errors.note('answer', error)
        return false
      }
    },
    /** Notes the position of this member; returns the tally if it is requested. */
    async tally(args: (string | number)[]): Promise<string | undefined> {
      const client = options.joined()
      if (client?.status !== 'ready') return undefined
      try {
        const reply = await sendScript(client, applied, names, [registration, ...args])
        errors.succeeded('answer')
        return typeof reply === 'string' ? reply : undefined
      } catch (error) {
        errors.note('answer', error)
        return undefined
      }
    },
    /** Reads which members have applied entry `n`. Answers that were published earlier arrive first. */
    async lookUp(n: number): Promise<Tally | undefined> {
      const client = options.joined()
      if (client?.status !== 'ready') return undefined
      try {
        return decodeTallyOf(requireList(await sendScript(client, readTally, names, [n])))
      } catch (error) {
        errors.note('answer', error)
        return undefined
      }
    },
  }
}
