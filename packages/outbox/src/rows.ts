import { type Bus, CacheError } from '@repo/cache-broadcast'
import {
  forwardStored,
  isEventMessage,
  isPermanent,
  publishStored,
  type StoredMessage,
} from '@repo/cache-broadcast/stored-messages'
import type { ConnectionLog } from '@repo/redis'

/** Text in JSON that `jsonb` refuses: JSON.stringify escapes these, and a backslash before them. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/

/** @throws CacheError `bad-key`, and for an event `unserialisable` */
export function checkStorable(message: StoredMessage): void {
  if (!UNSTORABLE.test(JSON.stringify(message))) return
  const code = message.kind === 'event' ? 'unserialisable' : 'bad-key'
  throw new CacheError(code, 'PostgreSQL stores no zero byte and no lone surrogate')
}

/** A row, and whether no release that can send it seems to run. */
interface Row {
  message: unknown
  isLeft: boolean
}

/**
 * Sends the message of a row. A message that this release cannot send is left to another release. A
 * row that no instance has sent for 10 s is forwarded, and invalidates more than it names. Otherwise
 * it would stay for ever, and no instance could trust its cache.
 * @throws CacheError
 */
export async function send(bus: Bus, { message, isLeft }: Row, log?: ConnectionLog): Promise<void> {
  try {
    await publishStored(bus, message)
  } catch (error) {
    if (!isLeft || !isPermanent(error) || isEventMessage(message)) throw error
    await forwardStored(bus, message)
    const fields = { event: 'outbox.forwarded', bus: bus.name, err: error }
    log?.warn(fields, 'a row of the outbox that cannot be sent invalidates all cached values')
  }
}
