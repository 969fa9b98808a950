import { checkOption, refuse, requireMethods } from './bad-option.ts'
import { isAddressFault, parseAddress, parseRedisUrl } from './connection/address.ts'
import { RedisError } from './errors.ts'
import { isPrefix } from './keys.ts'

/** The longest time that a timer of Node can wait; it fires after 1 ms for a longer one. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** CLIENT SETNAME takes printable ASCII without spaces. */
const NAME = /^[!-~]{1,256}$/

/** Options as callers without types pass them. */
type Unchecked<Option extends string> = Partial<Record<Option, unknown>>

type TopologyOption =
  | 'url'
  | 'sentinels'
  | 'clusterNodes'
  | 'prefix'
  | 'legacyNames'
  | 'sentinelUsername'
  | 'sentinelPassword'
  | 'sentinelTls'

/** @throws RedisError `bad-option` unless it is a number of ms from `minMs` that a timer can wait */
export function requireMs(option: string, ms: unknown, minMs = 1): void {
  if (typeof ms === 'number' && ms >= minMs && ms <= MAX_TIMER_MS) return
  refuse(option, `a number of milliseconds from ${minMs} to ${MAX_TIMER_MS}`)
}

/** @throws RedisError `bad-option` unless it is a function */
export function requireCommand(command: unknown): void {
  if (typeof command !== 'function') refuse('command', 'a function that takes the client')
}

/** @throws RedisError `bad-option` that names the option */
export function requireConnectOptions(
  options: Unchecked<TopologyOption | 'name' | 'deadlineMs' | 'log'>,
): void {
  requireTopology(options)
  const { name, deadlineMs, log } = checkOption('options', () => ({ ...options }))
  if (typeof name !== 'string' || !NAME.test(name)) {
    refuse('name', '1 to 256 printable ASCII characters without spaces')
  }
  if (deadlineMs !== undefined) requireMs('deadlineMs', deadlineMs)
  if (log !== undefined) requireMethods('log', log, ['info', 'warn'])
}

/** @throws RedisError `bad-option` that names the option */
export function requireTopology(topology: Unchecked<TopologyOption>): void {
  if (typeof topology !== 'object' || topology === null) refuse('options', 'an object')
  const read = checkOption('options', () => ({ ...topology }))
  const { url, sentinels, clusterNodes, prefix, legacyNames, sentinelTls } = read
  requireParsed('url', () => parseRedisUrl(url))
  if (sentinels && clusterNodes) refuse('sentinels', 'absent in a cluster')
  requireAddresses('sentinels', sentinels)
  requireAddresses('clusterNodes', clusterNodes)
  if (clusterNodes && parseRedisUrl(url).database !== 0) {
    refuse('url', 'without a database: a cluster has only database 0')
  }
  if (prefix !== undefined && (typeof prefix !== 'string' || !isPrefix(prefix))) {
    refuse('prefix', '1 to 64 letters, digits, dots, dashes and underscores')
  }
  for (const [option, value] of Object.entries({ legacyNames, sentinelTls })) {
    if (value !== undefined && typeof value !== 'boolean') refuse(option, 'true or false')
  }
  const { sentinelUsername, sentinelPassword } = read
  for (const [option, value] of Object.entries({ sentinelUsername, sentinelPassword })) {
    if (value !== undefined && typeof value !== 'string') refuse(option, 'a string')
  }
}

function requireAddresses(option: string, addresses: unknown): void {
  if (addresses === undefined) return
  if (!Array.isArray(addresses) || addresses.length === 0 || addresses.length > 1_000) {
    refuse(option, 'a list of 1 to 1,000 addresses, host:port each')
  }
  addresses.forEach((address: unknown, i) => {
    requireParsed(`${option}[${i}]`, () => parseAddress(address, 1))
  })
}

function requireParsed(option: string, parse: () => unknown): void {
  try {
    parse()
  } catch (error) {
    if (!isAddressFault(error)) throw error
    throw new RedisError('bad-option', `${option} ${error.message}`)
  }
}
