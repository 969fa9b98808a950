/** What is known of an entry that everybody has to apply. */
interface Pending {
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

/** Keeps account of who applied which of the entries that this process waits for. */
export function createBarriers() {
  const pendings = new Map<string, Pending>()

  return {
    /** Before the entry is sent: acknowledgements may overtake the reply. */
    open(origin: string) {
      const pending: Pending = {
        acked: new Set(),
        failed: new Set(),
        gone: new Set(),
        changed: () => undefined,
      }
      pendings.set(origin, pending)
      return {
        /** Resolves when all `members` have answered or left, or `timeoutMs` are over. */
        async settled(members: string[], timeoutMs: number, all: boolean): Promise<Acknowledged> {
          const { promise, resolve } = Promise.withResolvers<void>()
          const timer = setTimeout(resolve, timeoutMs)
          const isDone = (it: string) =>
            pending.acked.has(it) || pending.failed.has(it) || pending.gone.has(it)
          pending.changed = () => {
            if (all && members.every(isDone)) resolve()
          }
          pending.changed()
          await promise
          clearTimeout(timer)
          return {
            acked: [...pending.acked],
            failed: [...pending.failed],
            lapsed: members.filter((it) => !isDone(it)),
          }
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
  }
}
