import { tagName } from '../names.ts'

/**
 * How a value lies in Redis: kind, version (16 digits), fresh until (13 digits, ms by Redis's
 * clock), for `T` the length (6 digits) and names of its tags, then its JSON. Scripts compare
 * versions as text.
 * - `V` a value of a cache without tags · `T` a value of a cache with tags, of which it may have none ·
 *   `N` the source has nothing
 */
export interface StoredValue {
  kind: 'V' | 'T' | 'N'
  version: number
  freshUntilMs: number
  /** Undefined: it was stored by a member that declares no tags. */
  tags: string[] | undefined
  text: string
}

/** The header's length without tags. */
const HEADER = 30

/**
 * What follows version and age.
 * @param tags undefined: the cache declares none
 */
export function encodeRest(tags: string[] | undefined, text: string | undefined) {
  if (text === undefined) return { kind: 'N', rest: '' } as const
  if (!tags) return { kind: 'V', rest: text } as const
  const names = tags.map(tagName).join(',')
  return { kind: 'T', rest: `${String(names.length).padStart(6, '0')}${names}${text}` } as const
}

export function encodeValue(
  { kind, rest }: { kind: StoredValue['kind']; rest: string },
  version: string,
  freshUntilMs: number,
): string {
  return `${kind}${version.padStart(16, '0')}${String(freshUntilMs).padStart(13, '0')}${rest}`
}

/** Undefined for what this version did not write. */
export function decodeValue(stored: string): StoredValue | undefined {
  const kind = stored[0]
  const version = Number(stored.slice(1, 17))
  const freshUntilMs = Number(stored.slice(17, HEADER))
  if (kind === 'V' || kind === 'N') {
    return { kind, version, freshUntilMs, tags: undefined, text: stored.slice(HEADER) }
  }
  if (kind !== 'T') return undefined
  const start = HEADER + 6
  const end = start + Number(stored.slice(HEADER, start))
  const names = stored.slice(start, end)
  const tags = names === '' ? [] : decodeTags(names)
  return tags && { kind, version, freshUntilMs, tags, text: stored.slice(end) }
}

/** Undefined for names that another release encoded in another form. */
function decodeTags(names: string): string[] | undefined {
  try {
    return names.split(',').map(decodeURIComponent)
  } catch {
    return undefined
  }
}
