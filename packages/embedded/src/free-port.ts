import { once } from 'node:events'
import { createServer } from 'node:net'

// Below Linux's ephemeral range (32768 and up): there, a client that reconnects to a dead server can
// be given the server's port as its own and so connect to itself, and the server cannot come back.
const FIRST = 10_000
const LAST = 32_000

/** A TCP port on which nothing listened a moment ago, never given out twice by one thread. */
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
