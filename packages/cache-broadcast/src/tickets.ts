/** Held by who is about to store something that may be older than what arrives meanwhile. */
export interface Ticket {
  readonly key: string
  /** The highest number of an entry that invalidated the key since the ticket was opened. */
  fence: number
}

/**
 * The fence of the first level (I2): an invalidation that overtakes a load, or the answer of Redis,
 * leaves its number on every ticket of the key, and nothing older than it is stored.
 */
export function createTickets() {
  const open = new Map<string, Set<Ticket>>()

  return {
    open(key: string): Ticket {
      const ticket = { key, fence: 0 }
      const of = open.get(key)
      if (of) of.add(ticket)
      else open.set(key, new Set([ticket]))
      return ticket
    },
    close(ticket: Ticket): void {
      const of = open.get(ticket.key)
      of?.delete(ticket)
      if (of?.size === 0) open.delete(ticket.key)
    },
    fence(key: string, n: number): void {
      for (const ticket of open.get(key) ?? []) ticket.fence = Math.max(ticket.fence, n)
    },
    /** For what may concern any key: a tag, `clear`, a gap. */
    fenceAll(n: number): void {
      for (const of of open.values()) {
        for (const ticket of of) ticket.fence = Math.max(ticket.fence, n)
      }
    },
  }
}

export type Tickets = ReturnType<typeof createTickets>
