import type { Registration } from './member.ts'
import { decodeTally, hasApplied, type Tally } from './tally.ts'

/** A barrier that other members hold up reads the tally at this time before its end, in ms. */
const LOOK_UP_MS = 50

/** The answers for an entry that every member must apply. */
interface Pending {
  /** 0 until the entry is sent. */
  n: number
  tally: Tally | undefined
  /** A failed handler may have been reported while this process could not receive it. */
  isUncertain: boolean
  acked: Set<string>
  failed: Set<string>
  departed: Set<string>
  /** Called at each change. */
  changed: () => void
}

export interface Acknowledged {
  acked: string[]
  failed: string[]
  lapsed: string[]
}

/** An entry that was sent. */
export interface Sent {
  n: number
  /** The time at which the list of members was started. */
  born: string
  /** The members on the list. */
  members: Registration[]
  /** Whether every member with a valid lease is on the list. */
  isComplete: boolean
  timeoutMs: number
}

/** Tracks which members have applied the entries that this process waits for. */
export function createBarriers() {
  const pendings = new Map<string, Pending>()

  return {
    /** Must be called before the entry is sent: answers may overtake the reply. */
    open(origin: string, isEvent: boolean) {
      const acked = new Set<string>()
      const failed = new Set<string>()
      const departed = new Set<string>()
      const pending: Pending = {
        n: 0,
        tally: undefined,
        isUncertain: false,
        acked,
        failed,
        departed,
        changed: () => undefined,
      }
      pendings.set(origin, pending)

      return {
        /**
         * Resolves when all members have answered or left, or after `timeoutMs`.
         * @param lookUp reads which members have applied an entry, before all have
         */
        async settled(
          { n, born, members, isComplete, timeoutMs }: Sent,
          lookUp: (n: number) => Promise<Tally | undefined>,
        ): Promise<Acknowledged> {
          const { promise, resolve } = Promise.withResolvers<void>()
          let awaited = members

          function isDone({ member, text, tallies }: Registration): boolean {
            if (acked.has(member) || failed.has(member) || departed.has(member)) return true
            const { tally } = pending
            if (!tallies || tally?.born !== born || (isEvent && pending.isUncertain)) return false
            if (!hasApplied(tally, text, n)) return false
            acked.add(member)
            return true
          }

          async function look() {
            if (!awaited.some(({ tallies }) => tallies)) return
            pending.tally = (await lookUp(n)) ?? pending.tally
            pending.changed()
          }

          pending.n = n
          pending.changed = () => {
            awaited = awaited.filter((registration) => !isDone(registration))
            if (isComplete && awaited.length === 0) resolve()
          }
          pending.changed()
          // After a pause of this process, answers that have arrived are read first.
          const timer = setTimeout(() => setImmediate(resolve), timeoutMs)
          const looking = setTimeout(() => void look(), timeoutMs - LOOK_UP_MS)
          await promise
          clearTimeout(timer)
          clearTimeout(looking)
          return {
            acked: [...acked],
            failed: [...failed],
            lapsed: awaited.map(({ member }) => member),
          }
        },
        close: () => void pendings.delete(origin),
      }
    },
    /** A member has applied the entry, or one of its handlers has failed. */
    answered(origin: string, member: string, isApplied: boolean) {
      const pending = pendings.get(origin)
      if (!pending) return
      if (isApplied) pending.acked.add(member)
      else pending.failed.add(member)
      pending.changed()
    },
    /** A member has left the bus: it serves nothing from memory. */
    left(member: string) {
      for (const pending of pendings.values()) {
        pending.departed.add(member)
        pending.changed()
      }
    },
    /** Receives the tally, as DESCRIBE encodes it. */
    tallied(text: string) {
      const tally = decodeTally(text)
      if (!tally) return
      for (const pending of pendings.values()) {
        const { tally: earlier } = pending
        if (earlier?.born === tally.born && earlier.low > tally.low) continue
        pending.tally = tally
        if (pending.n !== 0 && tally.low >= pending.n) pending.changed()
      }
    },
    /** Answers may have been lost. */
    interrupted() {
      for (const pending of pendings.values()) pending.isUncertain = true
    },
  }
}
