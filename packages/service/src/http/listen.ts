import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** @throws when the port is in use or not permitted */
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

/** Returns the URL of a listening server on this machine, and '' before it listens. */
export function urlOf(
  address: string | AddressInfo | null,
  protocol: 'http' | 'https' = 'http',
): string {
  if (address === null || typeof address === 'string') return ''
  const host = ['0.0.0.0', '::', '127.0.0.1'].includes(address.address)
    ? 'localhost'
    : address.address
  return `${protocol}://${host.includes(':') ? `[${host}]` : host}:${address.port}`
}
