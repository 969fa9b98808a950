import { CacheError } from '../errors.ts'
import { checkTagsOfValue } from '../names.ts'
import { deepFreeze } from './freeze.ts'
import type { Settings } from './options.ts'
import { decodeValue, encodeRest } from './value.ts'

/** A value as every instance serves it: parsed from its JSON. */
export interface Represented<T> {
  value: T | undefined
  /** Its JSON; undefined: the source has nothing. */
  text: string | undefined
}

/** A value ready to be stored. */
export interface Encoded<T> {
  value: T | undefined
  tags: string[]
  kind: 'V' | 'T' | 'N'
  /** What follows version and age. */
  rest: string
}

/** A stored value as it was read. */
export interface Decoded<T> {
  value: T | undefined
  tags: string[]
  version: number
  freshUntilMs: number
  size: number
}

/** Between values and what lies in Redis. */
export function createCodec<T>(
  { parse, tags, maxValueBytes, name, freeze: isFrozen }: Settings<T>,
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

  return {
    /**
     * What all instances serve for a value that was loaded or set: the result of `parse` for its JSON.
     * No instance serves the original, which may have what JSON has not (a Date, NaN, undefined).
     * @throws CacheError `unserialisable`: it has no JSON, or `parse` refuses that
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
      const of = tags && tagsOf(tags, value, key)
      return { value, tags: of ?? [], ...encodeRest(of, text) }
    },
    /** Undefined for what this version of the program cannot read: it is as good as absent. */
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
        // A tag that it was stored without would not invalidate it here.
        if (tags && !tagsOf(tags, value, key).every((tag) => read.tags?.includes(tag))) {
          throw new TypeError('it was stored without one of its tags')
        }
        return { value, tags: read.tags ?? [], version, freshUntilMs, size }
      } catch (error) {
        onUnreadable(error) // written by another release: loaded again
        return undefined
      }
    },
  }

  function tagsOf(make: NonNullable<typeof tags>, value: T, key: string): string[] {
    let of: unknown
    try {
      of = make(value, key)
    } catch (cause) {
      const message = `${name} "${key}": \`tags\` threw: ${reasonOf(cause)}`
      throw new CacheError('bad-key', message, { cause })
    }
    // Its rejection must not end the process.
    if (of instanceof Promise) of.catch(() => undefined)
    return checkTagsOfValue(of)
  }
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
  throw new CacheError('unserialisable', `${name} "${key}": no JSON can be made of it`, { cause })
}
