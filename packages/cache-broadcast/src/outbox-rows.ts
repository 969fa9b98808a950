import type { ConnectionLog } from '@repo/redis'
import type { Bus } from './bus-api.ts'
import { checkEvent, encodeData, measureMessage } from './bus-input.ts'
import { CacheError, type CacheErrorCode } from './errors.ts'
import { isMessage } from './message.ts'

/** Of the messages that go through an outbox. */
export const KINDS = ['keys', 'tags', 'clear', 'event']
/** The rest of a message around the data of an event: its name and its sender. */
const ENVELOPE_BYTES = 4_096
/** Text in JSON that `jsonb` refuses: JSON.stringify escapes these, and a backslash before them. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/

const PERMANENT = new Set<CacheErrorCode>(['too-large', 'bad-key', 'bad-option', 'unserialisable'])

/** Whether a row that failed with this error fails each time. */
export function isPermanent(error: unknown): boolean {
  return error instanceof CacheError && PERMANENT.has(error.code)
}

/** @throws CacheError `too-large`, `unserialisable` unless an outbox can store and send the event */
export function checkStorableEvent(event: unknown, data: unknown, maxMessageBytes: number): void {
  checkEvent(event)
  const json = encodeData(data)
  measureMessage(json ?? '', maxMessageBytes - ENVELOPE_BYTES)
  if (json === undefined || !UNSTORABLE.test(json)) return
  throw new CacheError('unserialisable', 'PostgreSQL stores no zero byte and no lone surrogate')
}

/** @throws CacheError `bad-key` */
export function toStorable(texts: string[]): string[] {
  if (!texts.some((text) => text.includes('\0'))) return texts
  throw new CacheError('bad-key', 'PostgreSQL stores no text with a zero byte')
}

/** A row, and whether it waits for so long that no release that could send it runs. */
interface Row {
  message: unknown
  isLeft: boolean
}

/**
 * Sends the message of a row. One that this release cannot send is left to another release. When no
 * instance has sent it for long it is forwarded, and invalidates more than it says: it would stay for
 * ever, and with it the doubt about all that is cached.
 * @throws CacheError
 */
export async function send(bus: Bus, { message, isLeft }: Row, log?: ConnectionLog): Promise<void> {
  try {
    await sendAsItIs(bus, message)
  } catch (error) {
    if (!isLeft || !isPermanent(error) || isEvent(message)) throw error
    // Instances of a later release may be able to read it.
    const text = isMessage(message) ? UNSENDABLE : JSON.stringify(message)
    await bus.link.forward(text.length <= MAX_FORWARDED ? text : UNSENDABLE)
    const fields = { event: 'outbox.forwarded', bus: bus.name, err: error }
    log?.warn(fields, 'a row of the outbox that cannot be sent invalidates all that is cached')
  }
}

/** A kind that no release has. */
const UNSENDABLE = '{"kind":"unsendable"}'
/** In UTF-16 units; a longer message would cost every reader more than it says. */
const MAX_FORWARDED = 16_384

/** Whether a row is an event: it invalidates nothing. */
export function isEvent(message: unknown): boolean {
  return isMessage(message) && message.kind === 'event'
}

async function sendAsItIs(bus: Bus, message: unknown): Promise<void> {
  if (!isMessage(message)) throw new CacheError('unserialisable', 'a message of another release')
  if (message.kind === 'keys') await bus.invalidate(message.cache, message.keys)
  else if (message.kind === 'tags') await bus.invalidateTag(message.tags)
  else if (message.kind === 'clear') await bus.clear(message.cache)
  else if (message.kind === 'event') await bus.emit(message.event, message.data)
  else throw new CacheError('bad-option', `a ${message.kind} message does not go through an outbox`)
}
