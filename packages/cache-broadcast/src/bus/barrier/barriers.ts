import type { Registration } from './member.ts'
import { decodeTally, hasApplied, type Tally } from './tally.ts'

/** The rest of a barrier's time, in ms, in which it reads the tally if others hold it up. */
const LOOK_UP_MS = 50

/** What is certain of an entry that every member has to apply. */
interface Pending {
  /** 0 until the entry is sent. */
  n: number
  tally: Tally | undefined
  /** A failed handler may have been reported while this process could not receive it. */
  isUncertain: boolean
  acked: Set<string>
  failed: Set<string>
  gone: Set<string>
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
  /** When the list of members was started. */
  born: string
  /** Those on the list. */
  members: Registration[]
  /** Whether every member that may trust what it caches is on the list. */
  isComplete: boolean
  timeoutMs: number
}

/** Tracks which member applied which of the entries that this process waits for. */
export function createBarriers() {
  const pendings = new Map<string, Pending>()

  return {
    /** Before the entry is sent: acknowledgements may overtake the reply. */
    open(origin: string, isEvent: boolean) {
      const { acked, failed, gone } = {
        acked: new Set<string>(),
        failed: new Set<string>(),
        gone: new Set<string>(),
      }
      const pending: Pending = {
        ...{ n: 0, tally: undefined, isUncertain: false, acked, failed, gone },
        changed: () => undefined,
      }
      pendings.set(origin, pending)

      return {
        /**
         * Resolves when all members have answered or left, or `timeoutMs` are over.
         * @param lookUp reads who has applied an entry: the tally says so once all have
         */
        async settled(
          { n, born, members, isComplete, timeoutMs }: Sent,
          lookUp: (n: number) => Promise<Tally | undefined>,
        ): Promise<Acknowledged> {
          const { promise, resolve } = Promise.withResolvers<void>()
          let left = members

          function isDone({ member, text, tallies }: Registration): boolean {
            if (acked.has(member) || failed.has(member) || gone.has(member)) return true
            const { tally } = pending
            if (!tallies || tally?.born !== born || (isEvent && pending.isUncertain)) return false
            if (!hasApplied(tally, text, n)) return false
            acked.add(member)
            return true
          }

          async function look() {
            if (!left.some(({ tallies }) => tallies)) return
            pending.tally = (await lookUp(n)) ?? pending.tally
            pending.changed()
          }

          pending.n = n
          pending.changed = () => {
            left = left.filter((it) => !isDone(it))
            if (isComplete && left.length === 0) resolve()
          }
          pending.changed()
          // After a pause of this process, answers that have arrived are read first.
          const timer = setTimeout(() => setImmediate(resolve), timeoutMs)
          const looking = setTimeout(() => void look(), timeoutMs - LOOK_UP_MS)
          await promise
          clearTimeout(timer)
          clearTimeout(looking)
          return { acked: [...acked], failed: [...failed], lapsed: left.map((it) => it.member) }
        },
        close: () => void pendings.delete(origin),
      }
    },
    /** A member applied the entry, or one of its handlers failed on it. */
    answered(origin: string, member: string, applied: boolean) {
      const pending = pendings.get(origin)
      if (!pending) return
      if (applied) pending.acked.add(member)
      else pending.failed.add(member)
      pending.changed()
    },
    /** A member left in good order: it keeps nothing any more. */
    left(member: string) {
      for (const pending of pendings.values()) {
        pending.gone.add(member)
        pending.changed()
      }
    },
    /** How far all members of the tally have applied the log; see DESCRIBE. */
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
