import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { type ProblemOptions, rawProblem } from './problem.ts'

/** A client needs less time for the first head of a connection, even for many connections at once. */
const MIN_AGE_MS = 1_000

const tooMany: ProblemOptions = {
  status: 408,
  code: 'late-request',
  detail: 'Too many connections of this address have sent no complete request.',
}

/**
 * Limits the connections of one address whose first request head is incomplete. Above the limit the
 * oldest connection is closed, once it is `minAgeMs` old. So a burst of connections is served, and
 * slow heads do not accumulate.
 */
export function limitHeads(
  server: Server,
  { maxPerAddress, minAgeMs = MIN_AGE_MS }: { maxPerAddress: number; minAgeMs?: number },
): void {
  /** The connections of each address without a complete head, the oldest one first. */
  const byAddress = new Map<string, Map<Socket, number>>()
  const groups = new WeakMap<Socket, Map<Socket, number>>()

  function closeOldest(group: Map<Socket, number>) {
    for (const [socket, acceptedAt] of group) {
      if (group.size <= maxPerAddress) return
      const ageMs = performance.now() - acceptedAt
      if (ageMs < minAgeMs) {
        setTimeout(closeOldest, minAgeMs - ageMs + 1, group).unref()
        return
      }
      group.delete(socket)
      socket.end(rawProblem(tooMany), () => socket.destroy())
    }
  }

  function settle(socket: Socket) {
    const group = groups.get(socket)
    if (!group) return
    groups.delete(socket)
    group.delete(socket)
  }

  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? ''
    const group = byAddress.get(address) ?? new Map<Socket, number>()
    byAddress.set(address, group)
    groups.set(socket, group)
    group.set(socket, performance.now())
    socket.once('close', () => {
      settle(socket)
      // A newer group of the address stays.
      if (group.size === 0 && byAddress.get(address) === group) byAddress.delete(address)
    })
    // One timer per excess: it closes all that are old enough.
    if (group.size === maxPerAddress + 1) closeOldest(group)
  })
  for (const event of ['request', 'checkContinue', 'checkExpectation', 'connect', 'upgrade']) {
    server.prependListener(event, ({ socket }: { socket: Socket }) => settle(socket))
  }
}
