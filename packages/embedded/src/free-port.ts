import { once } from 'node:events'
import { createServer } from 'node:net'

// The range is below Linux's ephemeral ports (32768 and up). Linux can give an ephemeral port to a client
// that reconnects to a dead server: the client then connects to itself, and the server cannot restart.
const FIRST = 10_000
const LAST = 32_000

/** Finds a TCP port on which no server listens. A thread never receives the same port twice. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    if (!given.has(port) && (await isFree(port))) {
      given.add(port)
      return port
    }
  }
}

const given = new Set<number>()

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
