import type { IncomingMessage } from 'node:http'
import { canonicalIp, type IpAddress, parseIp } from '@repo/ratelimit'

/** A proxy's address or network. */
export interface AddressRange {
  network: IpAddress
  bits: number
}

/** Which senders of `X-Forwarded-For` are believed. */
export interface TrustedProxies {
  /** How many proxies of ours a request passes; 0 believes the socket only. Without `ranges`. */
  hops: number
  /** The networks of our proxies, whatever their number. */
  ranges?: readonly AddressRange[] | undefined
}

export interface Sender extends TrustedProxies {
  /** All lines of the header, joined by commas. */
  forwardedFor: string | undefined
  socketAddress: string | undefined
}

export type IpOf = (req: Pick<IncomingMessage, 'headers' | 'socket'>) => string

/** Proxies in a row that are looked at; what lies behind them was written by a stranger. */
const MAX_PROXIES = 32

/**
 * The caller's address in its one spelling: the entry of `X-Forwarded-For` that our outermost
 * trusted proxy wrote. The entries to its left were written by the caller and are not used. Where
 * the entry is not an address, the result is the address of the trusted proxy that wrote it.
 */
export function clientIp({ forwardedFor = '', socketAddress, hops, ranges }: Sender): string {
  const max = ranges ? MAX_PROXIES : hops
  const ofSocket = () => canonicalIp(socketAddress ?? '') ?? 'unknown'
  // A request through `hops` proxies does not need the address of the socket.
  let address = ranges && ofSocket()
  let end = forwardedFor.length
  for (let hop = 0; hop < max && end > 0; hop += 1) {
    if (ranges && !isIn(address ?? '', ranges)) break
    const comma = forwardedFor.lastIndexOf(',', end - 1)
    const entry = canonicalIp(forwardedFor.slice(comma + 1, end).trim())
    // A proxy that wrote no address vouches for nothing to the left of it.
    if (entry === undefined) break
    address = entry
    end = comma
  }
  return address ?? ofSocket()
}

/** Returns a function that finds the address from which a request comes. */
export function createIpOf(trusted: TrustedProxies): IpOf {
  return ({ headers, socket }) => {
    // node:http joins repeated fields in their order.
    const forwardedFor = headers['x-forwarded-for']?.toString()
    return clientIp({ forwardedFor, socketAddress: socket.remoteAddress, ...trusted })
  }
}

/** Undefined for what is not an address or a network in CIDR notation. */
export function parseRange(text: string): AddressRange | undefined {
  const [address = '', length, ...rest] = text.trim().split('/')
  const parsed = parseIp(address)
  // A port, brackets and zones have no meaning in a network.
  if (!parsed || rest.length > 0 || /[[\]%"]|^\d+\..*:/.test(address)) return undefined
  const maxBits = parsed.kind() === 'ipv4' ? 32 : 128
  if (length === undefined) return { network: parsed, bits: maxBits }
  if (!/^\d{1,3}$/.test(length)) return undefined
  // Of IPv4 mapped into IPv6 the first 96 bits are always the same.
  const isMapped = maxBits === 32 && address.includes(':')
  const bits = Number(length) - (isMapped ? 96 : 0)
  // Zero bits would believe every sender, and so every spelling of an address that it likes.
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
