import type { Settings } from './cache-options.ts'
import { CacheError } from './errors.ts'
import { deepFreeze } from './freeze.ts'
import { checkTagsOfValue } from './names.ts'
import { decodeValue, encodeRest } from './value.ts'

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
export function createCodec<T>({ parse, tags, maxValueBytes, name, freeze: frozen }: Settings<T>) {
  return {
    /** @throws CacheError `unserialisable`, `too-large`, `bad-key` (a tag) */
    encode(value: T | undefined, key: string): Encoded<T> {
      if (value === undefined) return { value, tags: [], ...encodeRest([], undefined) }
      const text = toJson(value, name, key)
      if (text.length > maxValueBytes || Buffer.byteLength(text) > maxValueBytes) {
        const message = `${name} "${key}": more than ${maxValueBytes} bytes`
        throw new CacheError('too-large', message)
      }
      const of = tags ? checkTagsOfValue(tags(value, key)) : []
      return { value, tags: of, ...encodeRest(of, text) }
    },
    /** Undefined for what this version of the program cannot read: it is as good as absent. */
    decode(stored: string): Decoded<T> | undefined {
      const read = decodeValue(stored)
      if (!read) return undefined
      const { kind, version, freshUntilMs } = read
      const size = read.text.length
      if (kind === 'N') return { value: undefined, tags: [], version, freshUntilMs, size }
      try {
        const parsed = parse(JSON.parse(read.text))
        const value = frozen ? deepFreeze(parsed) : parsed
        return { value, tags: read.tags, version, freshUntilMs, size }
      } catch {
        return undefined // written by another version of the program: loaded anew
      }
    },
  }
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
