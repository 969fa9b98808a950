import { CacheError, type CacheErrorCode } from '../errors.ts'
import { checkEvent, checkName, encodeData, measureMessage, toKeys, toTags } from '../input.ts'
import { chunk } from './invalidations.ts'
import { isMessage, type Message } from './message.ts'
import type { Bus } from './types.ts'

/** A message that is stored as JSON first, and published later, perhaps by another instance. */
export type StoredMessage = Extract<Message, { kind: 'keys' | 'tags' | 'clear' | 'event' }>

export const STORED_KINDS: StoredMessage['kind'][] = ['keys', 'tags', 'clear', 'event']

/** The part of a message around the data of an event, in bytes: its name and its sender. */
const ENVELOPE_BYTES = 4_096
/** A longer message would cost each reader more than it is worth, in UTF-16 units. */
const MAX_FORWARDED = 16_384
/** No release has this kind, so every instance drops all that it caches. */
const UNSENDABLE = '{"kind":"unsendable"}'

const PERMANENT = new Set<CacheErrorCode>(['too-large', 'bad-key', 'bad-option', 'unserialisable'])

/** Messages that invalidate keys of a cache. @throws CacheError `bad-option`, `bad-key` */
export function createKeysMessages(cache: string, keys: string | string[]): StoredMessage[] {
  checkName('cache', cache)
  return chunk(toKeys(keys)).map((part) => ({ kind: 'keys', cache, keys: part }))
}

/** Messages that invalidate all values with one of the tags. @throws CacheError `bad-key` */
export function createTagMessages(tags: string | string[]): StoredMessage[] {
  return chunk(toTags(tags)).map((part) => ({ kind: 'tags', tags: part }))
}

/** @throws CacheError `bad-option` */
export function createClearMessage(cache: string): StoredMessage {
  checkName('cache', cache)
  return { kind: 'clear', cache }
}

/** @throws CacheError `bad-key`, `unserialisable`, `too-large` */
export function createEventMessage(bus: Bus, event: string, data: unknown): StoredMessage {
  checkEvent(event)
  measureMessage(encodeData(data) ?? '', bus.link.maxMessageBytes - ENVELOPE_BYTES)
  return { kind: 'event', event, data }
}

/** Whether a stored message is an event: an event invalidates nothing. */
export function isEventMessage(message: unknown): boolean {
  return isMessage(message) && message.kind === 'event'
}

/** Whether each further attempt to publish the message fails too. */
export function isPermanent(error: unknown): boolean {
  return error instanceof CacheError && PERMANENT.has(error.code)
}

/** Publishes a stored message. @throws CacheError */
export async function publishStored(bus: Bus, message: unknown): Promise<void> {
  if (!isMessage(message)) throw new CacheError('unserialisable', 'a message of another release')
  if (message.kind === 'keys') await bus.invalidate(message.cache, message.keys)
  else if (message.kind === 'tags') await bus.invalidateTag(message.tags)
  else if (message.kind === 'clear') await bus.clear(message.cache)
  else if (message.kind === 'event') await bus.emit(message.event, message.data)
  else throw new CacheError('bad-option', `a ${message.kind} message does not go through an outbox`)
}

/**
 * Publishes a message that this release cannot read. It invalidates all values of the bus, because it
 * may invalidate any of them. @throws CacheError
 */
export async function forwardStored(bus: Bus, message: unknown): Promise<void> {
  // Instances of a later release may be able to read it.
  const text = isMessage(message) ? UNSENDABLE : JSON.stringify(message)
  await bus.link.forward(text.length <= MAX_FORWARDED ? text : UNSENDABLE)
}
