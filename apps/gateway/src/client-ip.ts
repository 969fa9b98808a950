import { isIP } from 'node:net'

/**
 * The caller's address: the entry of `X-Forwarded-For` that our outermost trusted proxy wrote.
 * Whatever stands to the left of it was written by the caller and is worth nothing.
 *
 * @param hops how many proxies of ours a request passes; 0 believes the socket only
 */
export function clientIp({
  forwardedFor,
  socketAddress,
  hops,
}: {
  forwardedFor: string | undefined
  socketAddress: string | undefined
  hops: number
}): string {
  const socket = plain(socketAddress ?? 'unknown')
  if (hops === 0 || !forwardedFor) return socket
  const entries = forwardedFor.split(',').map((entry) => plain(entry.trim()))
  // Fewer entries than hops: somebody came in behind a proxy; the leftmost is the farthest we know.
  const entry = entries.at(-hops) ?? entries[0] ?? socket
  return isIP(entry) ? entry : socket
}

/** IPv4 in its own form, not as IPv6 sockets show it. */
function plain(address: string): string {
  return address.replace(/^::ffff:/i, '')
}
