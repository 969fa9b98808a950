import { type Bus, CacheError } from '@repo/cache-broadcast'
import {
  forwardStored,
  isEventMessage,
  isPermanent,
  publishStored,
  STORED_KINDS,
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

/** Spans of rows. `traces.linked` of `@repo/observability` has this shape. */
export interface OutboxTrace {
  /** Returns the `traceparent` of the request in progress: undefined if its trace is not recorded. */
  current(): string | undefined
  /**
   * Begins a span that is linked to the request that wrote the row. The result ends it, and receives
   * the error of a row that can never be sent. Undefined if the stored `traceparent` is malformed.
   */
  begin(name: string, traceparent: string): ((error?: unknown) => void) | undefined
}

/** A row, and whether no release that can send it seems to run. */
interface Row {
  message: unknown
  /** Text of another instance, possibly of another release. */
  traceparent: string | null
  isLeft: boolean
}

const KINDS = new Set<unknown>(STORED_KINDS)

/** The name has no text of the row. A row that no recorded request wrote has no span. */
function beginSpan(trace: OutboxTrace | undefined, { message, traceparent }: Row) {
  if (!trace || traceparent === null) return undefined
  const kind: unknown = Object(message).kind
  return trace.begin(`outbox ${KINDS.has(kind) ? String(kind) : 'other'}`, traceparent)
}

/**
 * Sends the message of a row. A message that this release cannot send is left to another release. A
 * row that no instance has sent for 10 s is forwarded, and invalidates more than it names. Otherwise
 * it would stay for ever, and no instance could trust its cache. A row that stays has no span.
 * @throws CacheError
 */
export async function send(
  bus: Bus,
  row: Row,
  { log, trace }: { log?: ConnectionLog | undefined; trace?: OutboxTrace | undefined },
): Promise<void> {
  const { message, isLeft } = row
  const end = beginSpan(trace, row)
  try {
    await publishStored(bus, message)
  } catch (error) {
    const isRefused = isPermanent(error) && isEventMessage(message)
    if (isRefused) end?.(error)
    if (!isLeft || !isPermanent(error) || isRefused) throw error
    await forwardStored(bus, message)
    const fields = { event: 'outbox.forwarded', bus: bus.name, err: error }
    log?.warn(fields, 'a row of the outbox that cannot be sent invalidates all cached values')
  }
  end?.()
}
