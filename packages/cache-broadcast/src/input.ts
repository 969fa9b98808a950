import { CacheError } from './errors.ts'

const HOUR_MS = 3_600_000
const MAX_EVENT_BYTES = 512
/** The bounds of `maxMessageBytes`. */
const MESSAGE_BYTES = [65_536, 2 ** 20] as const
export const DEFAULT_MESSAGE_BYTES = 65_536

/** Reads each option of a call once. @throws CacheError `bad-option` */
export function readOptions<T extends object>(call: string, options: T | undefined): Partial<T> {
  if (options === undefined) return {}
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new CacheError('bad-option', `the options of ${call} must be an object`)
  }
  try {
    return { ...options }
  } catch (cause) {
    throw new CacheError('bad-option', `the options of ${call} cannot be read`, { cause })
  }
}

/** @throws CacheError `bad-option` */
export function checkWait(wait: unknown): asserts wait is 'everywhere' | undefined {
  if (wait === undefined || wait === 'everywhere') return
  throw new CacheError('bad-option', "wait must be 'everywhere' or undefined")
}

/** @throws CacheError `bad-option` unless the value is a whole number in the range */
export function checkWhole(name: string, value: unknown, least: number, most = HOUR_MS): void {
  if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return
  throw new CacheError('bad-option', `${name} must be a whole number from ${least} to ${most}`)
}

/** @throws CacheError `bad-key` unless the name is text of 1 to 512 bytes */
export function checkEvent(event: unknown): asserts event is string {
  if (typeof event === 'string' && event !== '' && event.length <= MAX_EVENT_BYTES) {
    // PostgreSQL stores the rows of an outbox, and refuses text with a zero byte.
    const isText = event.isWellFormed() && !event.includes('\0')
    if (isText && Buffer.byteLength(event) <= MAX_EVENT_BYTES) return
  }
  throw new CacheError('bad-key', 'the name of an event must be well-formed text of 1 to 512 bytes')
}

/** The data of an event as JSON; undefined: no data. @throws CacheError `unserialisable` */
export function encodeData(data: unknown): string | undefined {
  if (data === undefined) return undefined
  let json: string | undefined
  try {
    json = JSON.stringify(data)
  } catch (cause) {
    throw new CacheError('unserialisable', 'the data of an event has no JSON', { cause })
  }
  if (json !== undefined) return json
  throw new CacheError(
    'unserialisable',
    `the data of an event has no JSON: its type is ${typeof data}`,
  )
}

/** The size of a message in bytes. @throws CacheError `too-large` */
export function measureMessage(text: string, maxMessageBytes = DEFAULT_MESSAGE_BYTES): number {
  const bytes = Buffer.byteLength(text)
  if (bytes <= maxMessageBytes) return bytes
  const limit = `maxMessageBytes is ${maxMessageBytes}`
  throw new CacheError('too-large', `a message of ${bytes} bytes was not sent: ${limit}`)
}

/** @throws CacheError `bad-key`, `bad-option` */
export function checkSubscription(event: unknown, handler: unknown, onResync: unknown): void {
  checkEvent(event)
  checkFunction('handler', handler)
  if (onResync !== undefined) checkFunction('onResync', onResync)
}

interface BusSettings {
  redis: unknown
  name: unknown
  instance: unknown
  maxStaleMs: unknown
  claimMs: unknown
  maxMessageBytes: unknown
  log?: unknown
}

/** @throws CacheError `bad-option` */
export function checkBusOptions(options: BusSettings): void {
  const { redis, name, instance, maxStaleMs, claimMs, maxMessageBytes, log } = options
  checkMethods('redis', redis, ['call', 'keyspace'])
  checkName('bus', name)
  // The name of a connection contains it, and Redis accepts only these characters there.
  if (typeof instance !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(instance)) {
    throw new CacheError('bad-option', 'instance must be 1 to 128 visible ASCII characters')
  }
  checkWhole('maxStaleMs', maxStaleMs, 100)
  checkWhole('claimMs', claimMs, 1)
  checkWhole('maxMessageBytes', maxMessageBytes, ...MESSAGE_BYTES)
  if (log !== undefined) checkMethods('log', log, ['info', 'warn'])
}

/** @throws CacheError `bad-option` */
export function checkMethods(name: string, value: unknown, methods: readonly string[]): void {
  try {
    const holder = Object(value)
    if (methods.every((method) => typeof Reflect.get(holder, method) === 'function')) return
  } catch (cause) {
    throw new CacheError('bad-option', `${name} cannot be read`, { cause })
  }
  throw new CacheError('bad-option', `${name} must have the methods ${methods.join(' and ')}`)
}

/** @throws CacheError `bad-option` */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value === 'function') return
  throw new CacheError('bad-option', `${name} must be a function`)
}

const MAX_KEY_BYTES = 512
const MAX_TAG_BYTES = 1_024
const MAX_TAGS_OF_VALUE = 64

/**
 * Checks of each name that becomes a part of a key in Redis. Text that is not well-formed Unicode is
 * refused: in UTF-8 each lone surrogate becomes the same character, so two such names would be one.
 */

/** @throws CacheError `bad-option` for a name that would make an ambiguous key */
export function checkName(noun: string, name: unknown): void {
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) {
    throw new CacheError(
      'bad-option',
      `the name of a ${noun} must be 1-64 letters, digits, _ . or -`,
    )
  }
}

/** @throws CacheError `bad-key` */
export function checkKey(key: unknown): void {
  if (isName(key, MAX_KEY_BYTES)) return
  throw new CacheError('bad-key', 'a key must be well-formed text of 1 to 512 bytes')
}

/** One key or a list of them, as a list. @throws CacheError `bad-key` */
export function toKeys(keys: unknown): string[] {
  return toTexts(keys, 'keys must be text or an array of texts', checkKey)
}

/** One tag or a list of at least one, as a list. @throws CacheError `bad-key` */
export function toTags(tags: unknown): string[] {
  const list = toTexts(tags, 'tags must be text or an array of texts', checkTag)
  if (list.length > 0) return list
  throw new CacheError('bad-key', 'at least one tag is required')
}

/** The tags of one value. @throws CacheError `bad-key` */
export function checkTagsOfValue(tags: unknown, max = MAX_TAGS_OF_VALUE): string[] {
  if (!Array.isArray(tags)) throw new CacheError('bad-key', 'the tags of a value must be an array')
  if (tags.length > max) {
    throw new CacheError('bad-key', `a value may have at most ${max} tags, not ${tags.length}`)
  }
  return tags.length === 0 ? tags : toTags(tags)
}

/** The name of a tag in keys and in the headers of values. It has no comma and no colon. */
export function tagName(tag: string): string {
  return encodeURIComponent(tag)
}

/** @throws CacheError `bad-key` */
function checkTag(tag: unknown): void {
  if (isName(tag, MAX_TAG_BYTES)) return
  throw new CacheError('bad-key', 'a tag must be well-formed text of 1 to 1,024 bytes')
}

function isName(text: unknown, maxBytes: number): boolean {
  if (typeof text !== 'string' || text === '' || text.length > maxBytes) return false
  // In UTF-8 a unit of text takes at most 3 bytes, so only long texts are counted.
  return text.isWellFormed() && (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes)
}

function toTexts(value: unknown, rule: string, check: (text: unknown) => void): string[] {
  const list: unknown = typeof value === 'string' ? [value] : value
  if (!Array.isArray(list)) throw new CacheError('bad-key', rule)
  // An index loop also checks the holes of a sparse array.
  for (let i = 0; i < list.length; i += 1) check(list[i])
  return list
}

/** Checks that a reply of Redis is a list. @throws TypeError */
export function requireList(reply: unknown): unknown[] {
  if (!Array.isArray(reply)) throw new TypeError(`the reply is not a list: ${String(reply)}`)
  return reply
}
