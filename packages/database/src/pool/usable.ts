import type { PoolClient } from 'pg'
import { breaksAllConnections, breaksConnection, markStoreError } from '../availability.ts'

/**
 * Which connections of a pool can still do their work. An error of the server that concerns its
 * connection ends the use of that one. An error about the server's role ends the use of all that
 * are open: they lead to the same server.
 */
export function createUsable() {
  const generations = new WeakMap<PoolClient, number>()
  const broken = new WeakSet<PoolClient>()
  let generation = 0

  function isUsable(client: PoolClient): boolean {
    return generations.get(client) === generation && !broken.has(client)
  }

  return {
    isUsable,
    observe(client: PoolClient): void {
      generations.set(client, generation)
      client.on('error', markStoreError)
      client.connection.on('errorMessage', (error: Error) => {
        if (isUsable(client) && breaksAllConnections(error)) generation += 1
        if (breaksConnection(error)) broken.add(client)
      })
    },
  }
}
