import { CacheError } from '../errors.ts'
import { checkTagsOfValue, tagName } from '../input.ts'
import type { Settings } from './options.ts'

/** A value as every instance serves it: parsed from its JSON. */
export interface Represented<T> {
  value: T | undefined
  /** The JSON of the value; undefined: the source has no value. */
  text: string | undefined
}

/** A value that is ready to be stored. */
export interface Encoded<T> {
  value: T | undefined
  tags: string[]
  kind: 'V' | 'T' | 'N'
  /** The part of the stored text after version and freshness. */
  rest: string
}

/** A stored value that was read. */
export interface Decoded<T> {
  value: T | undefined
  tags: string[]
  version: number
  freshUntilMs: number
  size: number
}

/** Converts between the values of a cache and the text that Redis stores. */
export function createCodec<T>(
  { parse, tags: tagsOf, maxValueBytes, name, freeze: isFrozen }: Settings<T>,
  onUnreadable: (error: unknown) => void,
) {
  function toValue(text: string): T {
    const value = parse(JSON.parse(text))
    if (value instanceof Promise) {
      value.catch(() => undefined)
      throw new TypeError('`parse` returned a promise')
    }
    return isFrozen ? deepFreeze(value) : value
  }

  /** The tags of a value; undefined: the cache declares no tags. @throws CacheError `bad-key` */
  function readTags(value: T, key: string): string[] | undefined {
    if (!tagsOf) return undefined
    let tags: unknown
    try {
      tags = tagsOf(value, key)
    } catch (cause) {
      const message = `${name} "${key}": \`tags\` threw: ${reasonOf(cause)}`
      throw new CacheError('bad-key', message, { cause })
    }
    // Its rejection must not end the process.
    if (tags instanceof Promise) tags.catch(() => undefined)
    return checkTagsOfValue(tags)
  }

  return {
    /**
     * Returns the value that all instances serve for a loaded or set value: the result of `parse` for
     * its JSON. No instance serves the original, which may hold data that JSON cannot hold (a Date,
     * NaN, undefined).
     * @throws CacheError `unserialisable`: it has no JSON, or `parse` refuses the JSON
     */
    represent(value: T | undefined, key: string): Represented<T> {
      if (value === undefined) return { value, text: undefined }
      const text = toJson(value, name, key)
      try {
        return { value: toValue(text), text }
      } catch (cause) {
        const message = `${name} "${key}": \`parse\` refuses the JSON of the value: ${reasonOf(cause)}`
        throw new CacheError('unserialisable', message, { cause })
      }
    },
    /** @throws CacheError `too-large`, `bad-key` (a tag) */
    encode({ value, text }: Represented<T>, key: string): Encoded<T> {
      if (text === undefined || value === undefined) {
        return { value, tags: [], ...encodeRest([], text) }
      }
      if (text.length > maxValueBytes || Buffer.byteLength(text) > maxValueBytes) {
        const message = `${name} "${key}": more than ${maxValueBytes} bytes`
        throw new CacheError('too-large', message)
      }
      const tags = readTags(value, key)
      return { value, tags: tags ?? [], ...encodeRest(tags, text) }
    },
    /** Undefined for a value that this release cannot read: it counts as absent. */
    decode(stored: string, key: string): Decoded<T> | undefined {
      const read = decodeValue(stored)
      if (!read) {
        onUnreadable(new TypeError('the format of a later release'))
        return undefined
      }
      const { kind, version, freshUntilMs } = read
      const size = read.text.length
      if (kind === 'N') return { value: undefined, tags: [], version, freshUntilMs, size }
      try {
        const value = toValue(read.text)
        // A tag that is not stored with the value would not invalidate it here.
        if (tagsOf && !readTags(value, key)?.every((tag) => read.tags?.includes(tag))) {
          throw new TypeError('one of its tags is not stored with it')
        }
        return { value, tags: read.tags ?? [], version, freshUntilMs, size }
      } catch (error) {
        onUnreadable(error) // another release wrote it: it is loaded again
        return undefined
      }
    },
  }
}

/**
 * A value in Redis: kind, version (16 digits), the time until which it is fresh (13 digits, ms by the
 * clock of Redis), then its JSON. Kind `T` has the length (6 digits) and the names of its tags before
 * the JSON. Scripts compare versions as text.
 * - `V` a value of a cache that declares no tags
 * - `T` a value of a cache that declares tags; it may have no tag
 * - `N` the source has no value (I8)
 */
export interface StoredValue {
  kind: 'V' | 'T' | 'N'
  version: number
  freshUntilMs: number
  /** Undefined: a member that declares no tags stored the value. */
  tags: string[] | undefined
  text: string
}

/** The length of kind, version and freshness. */
const HEADER = 30

/**
 * Encodes the part of a stored value after version and freshness.
 * @param tags undefined: the cache declares no tags
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

/** Undefined for text in a format of another release. */
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

/** Freezes a value and everything in it: all readers share it, so none may change it. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  if (ArrayBuffer.isView(value)) return value // cannot be frozen
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
  return value
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function toJson(value: unknown, name: string, key: string): string {
  let cause: unknown
  try {
    const text = JSON.stringify(value)
    if (typeof text === 'string') return text
  } catch (error) {
    cause = error
  }
  throw new CacheError('unserialisable', `${name} "${key}": the value has no JSON`, { cause })
}
