import type { Flight } from '@repo/concurrency'

/** A ticket is open while work is in flight that may store a value in memory. */
export interface Ticket {
  readonly key: string
  /** The highest number of an entry that invalidated the key since the ticket was opened. */
  fence: number
  /** The next open ticket of the same key. */
  next: Ticket | undefined
}

/** A read in flight is its own ticket: one object per read. */
export interface Read<T> extends Flight<T>, Ticket {}

/**
 * The fence of the memory level (I2). An invalidation that overtakes a load, or a reply of Redis,
 * leaves its number on each open ticket of the key. An older value is then not stored in memory.
 */
export function createTickets() {
  const openTickets = new Map<string, Ticket>()

  function fenceFrom(first: Ticket | undefined, n: number) {
    for (let ticket = first; ticket; ticket = ticket.next) ticket.fence = Math.max(ticket.fence, n)
  }

  function add(ticket: Ticket): void {
    ticket.next = openTickets.get(ticket.key)
    openTickets.set(ticket.key, ticket)
  }

  return {
    /** Opens a ticket that the caller has created with the fence 0. */
    add,
    open(key: string): Ticket {
      const ticket: Ticket = { key, fence: 0, next: undefined }
      add(ticket)
      return ticket
    },
    close(ticket: Ticket): void {
      const { key, next } = ticket
      let before = openTickets.get(key)
      if (before !== ticket) {
        while (before && before.next !== ticket) before = before.next
        if (before) before.next = next
      } else if (next) openTickets.set(key, next)
      else openTickets.delete(key)
    },
    fence: (key: string, n: number) => fenceFrom(openTickets.get(key), n),
    /** Fences all keys, for a tag, `clear` or a gap in the log. */
    fenceAll(n: number): void {
      for (const first of openTickets.values()) fenceFrom(first, n)
    },
  }
}

export type Tickets = ReturnType<typeof createTickets>
