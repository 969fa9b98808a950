import type { Flight } from '@repo/concurrency'

/** Held by who is about to store something that may be older than what arrives meanwhile. */
export interface Ticket {
  readonly key: string
  /** The highest number of an entry that invalidated the key since the ticket was opened. */
  fence: number
  /** Another one of the same key. */
  next: Ticket | undefined
}

/** A read in flight is its own ticket: one object per read. */
export interface Read<T> extends Flight<T>, Ticket {}

/**
 * The fence of the first level (I2): an invalidation that overtakes a load, or the answer of Redis,
 * leaves its number on every ticket of the key, and nothing older than it is stored.
 */
export function createTickets() {
  const open = new Map<string, Ticket>()

  function fenceFrom(first: Ticket | undefined, n: number) {
    for (let it = first; it; it = it.next) it.fence = Math.max(it.fence, n)
  }

  function add(ticket: Ticket): void {
    ticket.next = open.get(ticket.key)
    open.set(ticket.key, ticket)
  }

  return {
    /** Opens a ticket that the caller made, with the fence 0. */
    add,
    open(key: string): Ticket {
      const ticket: Ticket = { key, fence: 0, next: undefined }
      add(ticket)
      return ticket
    },
    close(ticket: Ticket): void {
      const { key, next } = ticket
      let before = open.get(key)
      if (before !== ticket) {
        while (before && before.next !== ticket) before = before.next
        if (before) before.next = next
      } else if (next) open.set(key, next)
      else open.delete(key)
    },
    fence: (key: string, n: number) => fenceFrom(open.get(key), n),
    /** For what may concern any key: a tag, `clear`, a gap. */
    fenceAll(n: number): void {
      for (const first of open.values()) fenceFrom(first, n)
    },
  }
}

export type Tickets = ReturnType<typeof createTickets>
