import type { IncomingMessage } from 'node:http'
import { canonicalIp, type IpAddress, parseIp } from '@repo/ratelimit'

/** A proxy's address or network. */
export interface AddressRange {
  network: IpAddress
  bits: number
}

/** The proxies whose `X-Forwarded-For` is trusted. */
export interface TrustedProxies {
  /** The number of our proxies in front; 0 trusts the socket only. Ignored with `ranges`. */
  hops: number
  /** The networks of our proxies, for any number of proxies. */
  ranges?: readonly AddressRange[] | undefined
}

export interface Sender extends TrustedProxies {
  /** All lines of the header, joined by commas. */
  forwardedFor: string | undefined
  socketAddress: string | undefined
}

export type IpOf = (req: Pick<IncomingMessage, 'headers' | 'socket'>) => string

/** The longest chain of proxies that is followed. */
const MAX_PROXIES = 32

/**
 * The client's address in one spelling: the entry of `X-Forwarded-For` that the outermost trusted
 * proxy wrote. The client wrote the entries to its left, which are ignored. If the entry is not an
 * address, the result is the address of the trusted proxy that wrote it.
 */
export function clientIp({ forwardedFor = '', socketAddress, hops, ranges }: Sender): string {
  const max = ranges ? MAX_PROXIES : hops
  const socketIp = () => canonicalIp(socketAddress ?? '') ?? 'unknown'
  // A request through `hops` proxies does not need the address of the socket.
  let address = ranges && socketIp()
  let end = forwardedFor.length
  for (let hop = 0; hop < max && end > 0; hop += 1) {
    if (ranges && !isIn(address ?? '', ranges)) break
    const comma = forwardedFor.lastIndexOf(',', end - 1)
    const entry = canonicalIp(forwardedFor.slice(comma + 1, end).trim())
    // The entries to the left of an entry that is no address are not trusted.
    if (entry === undefined) break
    address = entry
    end = comma
  }
  return address ?? socketIp()
}

/** Returns a function that finds the address from which a request comes. */
export function createIpOf(trusted: TrustedProxies): IpOf {
  return ({ headers, socket }) => {
    // node:http joins repeated fields in their order.
    const forwardedFor = headers['x-forwarded-for']?.toString()
    return clientIp({ forwardedFor, socketAddress: socket.remoteAddress, ...trusted })
  }
}

/** Parses an address or a network in CIDR notation; undefined if the text is neither. */
export function parseRange(text: string): AddressRange | undefined {
  const [address = '', length, ...rest] = text.trim().split('/')
  const parsed = parseIp(address)
  // A port, brackets and zones have no meaning in a network.
  if (!parsed || rest.length > 0 || /[[\]%"]|^\d+\..*:/.test(address)) return undefined
  const maxBits = parsed.kind() === 'ipv4' ? 32 : 128
  if (length === undefined) return { network: parsed, bits: maxBits }
  if (!/^\d{1,3}$/.test(length)) return undefined
  // The first 96 bits of an IPv4 address mapped into IPv6 are constant.
  const isMapped = maxBits === 32 && address.includes(':')
  const bits = Number(length) - (isMapped ? 96 : 0)
  // Zero bits would trust every sender.
  return bits >= 1 && bits <= maxBits ? { network: parsed, bits } : undefined
}

function isIn(address: string, ranges: readonly AddressRange[]): boolean {
  const parsed = parseIp(address)
  return parsed !== undefined && ranges.some((range) => isWithin(parsed, range))
}

function isWithin(address: IpAddress, { network, bits }: AddressRange): boolean {
  // `match` throws for two kinds of addresses.
  return address.kind() === network.kind() && address.match(network, bits)
}
