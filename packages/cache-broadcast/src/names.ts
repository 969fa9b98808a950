import { CacheError } from './errors.ts'

const MAX_KEY_BYTES = 512
const MAX_TAG_BYTES = 1_024
const MAX_TAGS_OF_VALUE = 64

/**
 * Checks of each name that becomes a part of a key in Redis. Text that is not well-formed Unicode is
 * refused: in UTF-8 each lone surrogate becomes the same character, so two such names would be one.
 */

/** @throws CacheError `bad-option` for a name that would make an ambiguous key */
export function checkName(noun: string, name: unknown): void {
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) {
    throw new CacheError(
      'bad-option',
      `the name of a ${noun} must be 1-64 letters, digits, _ . or -`,
    )
  }
}

/** @throws CacheError `bad-key` */
export function checkKey(key: unknown): void {
  if (isName(key, MAX_KEY_BYTES)) return
  throw new CacheError('bad-key', 'a key must be well-formed text of 1 to 512 bytes')
}

/** One key or a list of them, as a list. @throws CacheError `bad-key` */
export function toKeys(keys: unknown): string[] {
  return toTexts(keys, 'keys must be text or an array of texts', checkKey)
}

/** One tag or a list of at least one, as a list. @throws CacheError `bad-key` */
export function toTags(tags: unknown): string[] {
  const list = toTexts(tags, 'tags must be text or an array of texts', checkTag)
  if (list.length > 0) return list
  throw new CacheError('bad-key', 'at least one tag is required')
}

/** The tags of one value. @throws CacheError `bad-key` */
export function checkTagsOfValue(tags: unknown, max = MAX_TAGS_OF_VALUE): string[] {
  if (!Array.isArray(tags)) throw new CacheError('bad-key', 'the tags of a value must be an array')
  if (tags.length > max) {
    throw new CacheError('bad-key', `a value may have at most ${max} tags, not ${tags.length}`)
  }
  return tags.length === 0 ? tags : toTags(tags)
}

/** The name of a tag in keys and in the headers of values. It has no comma and no colon. */
export function tagName(tag: string): string {
  return encodeURIComponent(tag)
}

/** @throws CacheError `bad-key` */
function checkTag(tag: unknown): void {
  if (isName(tag, MAX_TAG_BYTES)) return
  throw new CacheError('bad-key', 'a tag must be well-formed text of 1 to 1,024 bytes')
}

function isName(text: unknown, maxBytes: number): boolean {
  if (typeof text !== 'string' || text === '' || text.length > maxBytes) return false
  // In UTF-8 a unit of text takes at most 3 bytes, so only long texts are counted.
  return text.isWellFormed() && (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes)
}

function toTexts(value: unknown, rule: string, check: (text: unknown) => void): string[] {
  const list: unknown = typeof value === 'string' ? [value] : value
  if (!Array.isArray(list)) throw new CacheError('bad-key', rule)
  // An index loop also checks the holes of a sparse array.
  for (let i = 0; i < list.length; i += 1) check(list[i])
  return list
}
