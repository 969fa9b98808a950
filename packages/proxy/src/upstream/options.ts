import {
  isOrigin,
  MAX_ITEMS,
  MAX_TIMER_MS,
  readObject,
  refuse,
  requireFunction,
  requireInteger,
  requireNumber,
  type Unchecked,
} from '../options.ts'

const TIMEOUTS = ['connectTimeoutMs', 'headersTimeoutMs', 'bodyTimeoutMs'] as const
const COUNT = 1_000_000

type Option =
  | 'name'
  | 'targets'
  | 'groups'
  | 'healthCheck'
  | 'connections'
  | 'queueMs'
  | 'streams'
  | 'maxInFlight'
  | 'ca'
  | 'breaker'
  | 'hedging'
  | 'ejection'
  | 'slowStartMs'
  | 'onEvent'
  | (typeof TIMEOUTS)[number]

/** @throws ProxyError that names the option */
export function requireUpstreamOptions(options: Unchecked<Option>): void {
  const { name, targets, groups, healthCheck, connections, ejection, onEvent } = options
  requireName('name', name)
  requireTargets('targets', targets)
  if (groups !== undefined) requireGroups(groups)
  if (healthCheck !== undefined) requireHealthCheck(healthCheck)
  requireInteger('connections', connections, 1, 100_000)
  requireInteger('queueMs', options.queueMs, 1, MAX_TIMER_MS)
  requireInteger('streams', options.streams, 0, 100_000)
  requireInteger('maxInFlight', options.maxInFlight, 1, COUNT)
  if (options.breaker !== undefined) requireBreaker(options.breaker)
  if (options.hedging !== undefined) requireHedging(options.hedging)
  for (const option of TIMEOUTS) {
    requireInteger(option, options[option], 0, MAX_TIMER_MS)
  }
  if (ejection !== undefined) requireEjection(ejection)
  requireInteger('slowStartMs', options.slowStartMs, 0, MAX_TIMER_MS)
  if (options.ca !== undefined) requireAuthority(options.ca)
  requireFunction('onEvent', onEvent)
}

function requireAuthority(ca: unknown): void {
  if (typeof ca === 'string' && ca.includes('-----BEGIN CERTIFICATE-----')) return
  refuse('ca', 'certificates in PEM format')
}

function requireName(option: string, name: unknown): void {
  if (typeof name !== 'string' || name === '' || name.length > 200) refuse(option, 'a short name')
}

function requireTargets(option: string, targets: unknown): void {
  const expected = 'a list of origins, such as http://127.0.0.1:4101, or a source of them'
  if (!Array.isArray(targets)) {
    const { follow, servername } = readObject(option, targets)
    if (typeof follow !== 'function') refuse(option, expected)
    if (servername !== undefined) requireName(`${option}.servername`, servername)
  } else if (targets.length > MAX_ITEMS || !targets.every(isOrigin)) {
    refuse(option, expected)
  }
}

function requireGroups(groups: unknown): void {
  if (!Array.isArray(groups) || groups.length > 100) return refuse('groups', 'a short list')
  const names = new Set(['main'])
  let sum = 0
  for (const group of groups) {
    const { name, weight, targets } = readObject('groups', group)
    requireName('groups.name', name)
    if (names.has(String(name))) refuse('groups.name', 'another name than main and the others')
    names.add(String(name))
    requireNumber('groups.weight', weight ?? Number.NaN, 0, 100)
    sum += Number(weight)
    requireTargets('groups.targets', targets)
  }
  requireNumber('the sum of groups.weight', sum, 0, 100)
}

function requireHealthCheck(healthCheck: unknown): void {
  const { path, intervalMs, timeoutMs, idleIntervalMs } = readObject('healthCheck', healthCheck)
  if (typeof path !== 'string' || !/^\/[!-~]{0,2000}$/.test(path)) {
    refuse('healthCheck.path', 'a path that begins with a slash')
  }
  requireInteger('healthCheck.intervalMs', intervalMs ?? Number.NaN, 1, MAX_TIMER_MS)
  requireInteger('healthCheck.timeoutMs', timeoutMs ?? Number.NaN, 1, MAX_TIMER_MS)
  requireInteger('healthCheck.idleIntervalMs', idleIntervalMs, 1, MAX_TIMER_MS)
}

function requireEjection(value: unknown): void {
  const ejection = readObject('ejection', value)
  requireInteger('ejection.failures', ejection['failures'], 1, COUNT)
  requireInteger('ejection.consecutiveErrors', ejection['consecutiveErrors'], 1, COUNT)
  requireNumber('ejection.errorRate', ejection['errorRate'], 0, 1)
  requireInteger('ejection.minimumRequests', ejection['minimumRequests'], 1, COUNT)
  requireInteger('ejection.windowMs', ejection['windowMs'], 10, MAX_TIMER_MS)
  requireInteger('ejection.durationMs', ejection['durationMs'], 0, MAX_TIMER_MS)
  requireNumber('ejection.panicThreshold', ejection['panicThreshold'], 0, 1)
}

function requireBreaker(value: unknown): void {
  const breaker = readObject('breaker', value)
  requireNumber('breaker.errorRate', breaker['errorRate'], 0, 1)
  requireInteger('breaker.minimumRequests', breaker['minimumRequests'], 1, COUNT)
  requireInteger('breaker.windowMs', breaker['windowMs'], 10, MAX_TIMER_MS)
  requireInteger('breaker.openMs', breaker['openMs'], 1, MAX_TIMER_MS)
}

function requireHedging(value: unknown): void {
  const { percentile, minimumMs } = readObject('hedging', value)
  requireNumber('hedging.percentile', percentile, 0.5, 1)
  requireNumber('hedging.minimumMs', minimumMs, 1, MAX_TIMER_MS)
}
