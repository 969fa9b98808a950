import { connect, createServer } from 'node:net'
import { hasCode } from '@repo/embedded'

/** Each address to which `localhost` may lead. */
const ADDRESSES = ['127.0.0.1', '::1']
const PROBE_MS = 1_000

export type PortState = 'free' | 'used' | 'forbidden'

/**
 * Whether a server can listen on a port, and clients of `localhost` reach no other server there: a
 * server on one address family only takes the port as well.
 */
export async function checkPort(port: number): Promise<PortState> {
  const states = await Promise.all(ADDRESSES.map((host) => checkAddress(host, port)))
  return states.find((state) => state !== 'free') ?? 'free'
}

async function checkAddress(host: string, port: number): Promise<PortState> {
  const state = await tryToListen(host, port)
  // On macOS, an address can be bound beside a server that listens on all addresses.
  return state === 'free' && (await accepts(host, port)) ? 'used' : state
}

function tryToListen(host: string, port: number): Promise<PortState> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (error) => {
      if (hasCode(error, 'EADDRINUSE')) resolve('used')
      else if (hasCode(error, 'EACCES') || hasCode(error, 'EPERM')) resolve('forbidden')
      // A machine without IPv6 has no such address.
      else if (hasCode(error, 'EADDRNOTAVAIL') || hasCode(error, 'EAFNOSUPPORT')) resolve('free')
      else reject(error)
    })
    probe.listen(port, host, () => probe.close(() => resolve('free')))
  })
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PROBE_MS })
    const settle = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => settle(true))
    // A server that is too busy to accept still has the port.
    socket.once('timeout', () => settle(true))
    socket.once('error', () => settle(false))
  })
}
