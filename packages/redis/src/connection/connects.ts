import type { Redis } from 'ioredis'

export interface Connects {
  isConnected(): boolean
  /** Returns how often a lost connection was replaced. */
  reconnects(): number
}

/** Counts how often a client connects. Call it before the client is connected. */
export function countConnects(client: Redis): Connects {
  let connects = 0
  client.on('ready', () => {
    connects += 1
  })
  return {
    isConnected: () => client.status === 'ready',
    reconnects: () => Math.max(0, connects - 1),
  }
}
