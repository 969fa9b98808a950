import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** @throws when the port is taken or not ours to take */
export function listen(
  server: Server,
  { HOST, PORT }: { HOST: string; PORT: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(PORT, HOST, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Where a listening server is reached from this machine; empty before it listens. */
export function urlOf(address: string | AddressInfo | null): string {
  if (address === null || typeof address === 'string') return ''
  const host = ['0.0.0.0', '::', '127.0.0.1'].includes(address.address)
    ? 'localhost'
    : address.address
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
}
