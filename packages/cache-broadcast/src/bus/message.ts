/** The content of an entry of the log. */
export type Message =
  /** Drops the values of these keys. */
  | { kind: 'keys'; cache: string; keys: string[] }
  /** Ends the freshness of these keys; the values may be served while they are loaded again. */
  | { kind: 'soft'; cache: string; keys: string[] }
  /** Drops all values with one of the tags. `caches`: the caches for which a member declares tags. */
  | { kind: 'tags'; tags: string[]; caches?: string[] }
  /** Ends the freshness of all values with one of the tags; they end after `expireMs` if given. */
  | { kind: 'soft-tags'; tags: string[]; expireMs?: number | undefined; caches?: string[] }
  | { kind: 'clear'; cache: string }
  | { kind: 'event'; event: string; data: unknown }
  | { kind: 'left'; member: string }
  /** The log lost entries and was started again. The jump in numbers makes readers drop all values. */
  | { kind: 'floor' }

/** A message in the log. `origin` is unique, and contains the member that sent it. */
export interface Envelope {
  origin: string
  /** Whether the sender waits until members have applied the message. */
  ack: boolean
  message: Message
}

/** @param body the message as JSON */
export function encodeEnvelope(origin: string, ack: boolean, body: string): string {
  return `[${JSON.stringify(origin)},${ack ? 1 : 0},${body}]`
}

/** @param json the data as JSON; undefined: no data */
export function encodeEvent(event: string, json: string | undefined): string {
  const data = json === undefined ? '' : `,"data":${json}`
  return `{"kind":"event","event":${JSON.stringify(event)}${data}}`
}

/** Undefined for a message of another release: the reader must then drop all values. */
export function decodeMessage(text: string): Envelope | undefined {
  const [origin, ack, message, caches] = parseArray(text)
  if (typeof origin !== 'string' || !isMessage(message)) return undefined
  // The script that appends the entry adds them.
  if ('tags' in message && typeof caches === 'string') message.caches = caches.split(',')
  return { origin, ack: ack === 1, message }
}

const BEGINNING = /^\["((?:[^"\\]|\\.)*)",([01]),\{"kind":"([^"]{1,40})"/

/** Reads the beginning of an entry that this release cannot apply. Its text may be cut. */
export function describeUnknown(text: string): { kind: string; origin?: string; ack: boolean } {
  const [, origin, ack, kind] = BEGINNING.exec(text) ?? []
  if (origin === undefined || kind === undefined) return { kind: 'no message', ack: false }
  return { kind, origin: String(JSON.parse(`"${origin}"`)), ack: ack === '1' }
}

/** Empty for text that is no array. */
export function parseArray(text: string): unknown[] {
  try {
    const parsed: unknown = JSON.parse(text)
    return Array.isArray(parsed) ? parsed : []
  } catch {
    return [] // treated as a message of another release
  }
}

const SHAPES: Record<Message['kind'], (message: Record<string, unknown>) => boolean> = {
  keys: ({ cache, keys }) => typeof cache === 'string' && isTexts(keys),
  soft: ({ cache, keys }) => typeof cache === 'string' && isTexts(keys),
  tags: ({ tags }) => isTexts(tags),
  'soft-tags': ({ tags }) => isTexts(tags),
  clear: ({ cache }) => typeof cache === 'string',
  event: ({ event }) => typeof event === 'string',
  left: ({ member }) => typeof member === 'string',
  floor: () => true,
}
const CHECKS = new Map(Object.entries(SHAPES))

/** Whether a value has the fields of a message of this release. */
export function isMessage(value: unknown): value is Message {
  if (!isRecord(value) || typeof value['kind'] !== 'string') return false
  return CHECKS.get(value['kind'])?.(value) ?? false
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string')
}
