/** What an entry of the log says. */
export type Message =
  /** Never serve what was known of these keys. */
  | { kind: 'keys'; cache: string; keys: string[] }
  /** Refresh these keys; what is known may bridge the gap. */
  | { kind: 'soft'; cache: string; keys: string[] }
  /** `caches`: all for which a member declares tags. */
  | { kind: 'tags'; tags: string[]; caches?: string[] }
  /** Entries with these tags are to be refreshed, and end after `expireMs` if given. */
  | { kind: 'soft-tags'; tags: string[]; expireMs?: number | undefined; caches?: string[] }
  | { kind: 'clear'; cache: string }
  | { kind: 'event'; event: string; data: unknown }
  | { kind: 'left'; member: string }
  /** The log lost entries and was started anew; its jump in numbers says the rest. */
  | { kind: 'floor' }

/** A message under way: `origin` is unique to it, and names the member that sent it. */
export interface Envelope {
  origin: string
  /** Whether the sender waits to hear that this was applied. */
  ack: boolean
  message: Message
}

/** @param body the message as JSON */
export function encodeEnvelope(origin: string, ack: boolean, body: string): string {
  return `[${JSON.stringify(origin)},${ack ? 1 : 0},${body}]`
}

/** @param json the data as JSON, undefined for none */
export function encodeEvent(event: string, json: string | undefined): string {
  const data = json === undefined ? '' : `,"data":${json}`
  return `{"kind":"event","event":${JSON.stringify(event)}${data}}`
}

/** Undefined for what this version does not know: the reader must then forget everything. */
export function decodeMessage(text: string): Envelope | undefined {
  const [origin, ack, message, caches] = parseArray(text)
  if (typeof origin !== 'string' || !isMessage(message)) return undefined
  // Added by the script that appends.
  if ('tags' in message && typeof caches === 'string') message.caches = caches.split(',')
  return { origin, ack: ack === 1, message }
}

const BEGINNING = /^\["((?:[^"\\]|\\.)*)",([01]),\{"kind":"([^"]{1,40})"/

/** What is certain of an entry that this version cannot apply; its text may be cut. */
export function describeUnknown(text: string): { kind: string; origin?: string; ack: boolean } {
  const [, origin, ack, kind] = BEGINNING.exec(text) ?? []
  if (origin === undefined || kind === undefined) return { kind: 'no message', ack: false }
  return { kind, origin: String(JSON.parse(`"${origin}"`)), ack: ack === '1' }
}

/** Empty for what is no array. */
export function parseArray(text: string): unknown[] {
  try {
    const parsed: unknown = JSON.parse(text)
    return Array.isArray(parsed) ? parsed : []
  } catch {
    return [] // not of ours: unknown, like a message of a later version
  }
}

const SHAPES: Record<Message['kind'], (it: Record<string, unknown>) => boolean> = {
  keys: (it) => typeof it['cache'] === 'string' && isTexts(it['keys']),
  soft: (it) => typeof it['cache'] === 'string' && isTexts(it['keys']),
  tags: (it) => isTexts(it['tags']),
  'soft-tags': (it) => isTexts(it['tags']),
  clear: (it) => typeof it['cache'] === 'string',
  event: (it) => typeof it['event'] === 'string',
  left: (it) => typeof it['member'] === 'string',
  floor: () => true,
}
const FITS = new Map(Object.entries(SHAPES))

/** Whether it came out as it was written. */
export function isMessage(value: unknown): value is Message {
  if (!isRecord(value) || typeof value['kind'] !== 'string') return false
  return FITS.get(value['kind'])?.(value) ?? false
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((it) => typeof it === 'string')
}
