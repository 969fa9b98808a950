import type { PoolClient } from 'pg'
import { breaksAllConnections, breaksConnection, markStoreError } from '../availability.ts'

/**
 * Tracks which connections of a pool can be used again. An error that concerns one connection ends its
 * use. An error about the role of the server ends the use of all open connections, because they lead
 * to the same server.
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
