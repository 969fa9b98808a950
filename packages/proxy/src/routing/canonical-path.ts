/** The rule of canonical paths that a path breaks. */
export type PathRule =
  | 'absolute'
  | 'empty-segment'
  | 'dot-segment'
  | 'backslash'
  | 'character'
  | 'escape'
  | 'escaped-separator'
  | 'escaped-control'
  | 'escaped-unreserved'

/** The sentences of the rules, for the client that broke one. */
export const pathRules: Readonly<Record<PathRule, string>> = {
  absolute: 'The target of the request must be a path that begins with a slash.',
  'empty-segment': 'The path must not have two slashes in a row.',
  'dot-segment': 'The path must not have a segment of one or two dots.',
  backslash: 'The path must not have a backslash.',
  character: 'The path must have only visible ASCII characters that RFC 3986 allows in a path.',
  escape: 'A percent sign in the path must begin an escape of two hexadecimal digits.',
  'escaped-separator': 'The path must not have an escaped slash or backslash.',
  'escaped-control': 'The path must not have an escaped control character.',
  'escaped-unreserved':
    'The path must not escape a letter, a digit, a hyphen, a period, an underscore or a tilde.',
}

const SLASH = 47
const DOT = 46
const PERCENT = 37
const BACKSLASH = 92
const QUESTION_MARK = 63

const PLAIN = 0
const REFUSED = 1
const SPECIAL = 2

/** The kind of each ASCII character. `[`, `]` and `|` are allowed: browsers do not escape them. */
const kinds = new Uint8Array(128)
for (let code = 0; code < 128; code += 1) {
  const isPlain = /[A-Za-z0-9\-_~!$&'()*+,;=:@[\]|]/.test(String.fromCharCode(code))
  const isSpecial = [SLASH, DOT, PERCENT, BACKSLASH].includes(code)
  kinds[code] = isPlain ? PLAIN : isSpecial ? SPECIAL : REFUSED
}

/** The value of each hexadecimal digit, and 255 for every other character. */
const digits = new Uint8Array(128).fill(255)
for (const digit of '0123456789abcdefABCDEF') {
  digits[digit.charCodeAt(0)] = Number.parseInt(digit, 16)
}

/**
 * The first rule that the path of a request target breaks; undefined for a canonical path. A
 * canonical path has one spelling that no parser changes, so routes, limits and signatures of all
 * services concern the same resource. The query is not checked.
 *
 * @param target as received, with its query
 */
export function findPathFault(target: string): PathRule | undefined {
  if (target.charCodeAt(0) !== SLASH) return 'absolute'
  let segment = 1
  for (let at = 1; ; at += 1) {
    const code = at < target.length ? target.charCodeAt(at) : QUESTION_MARK
    if (code === QUESTION_MARK) return isDotSegment(target, segment, at) ? 'dot-segment' : undefined
    const kind = code < 128 ? kinds[code] : REFUSED
    if (kind === PLAIN) continue
    if (kind === REFUSED) return 'character'
    if (code === BACKSLASH) return 'backslash'
    if (code === SLASH) {
      if (at === segment) return 'empty-segment'
      if (isDotSegment(target, segment, at)) return 'dot-segment'
      segment = at + 1
    } else if (code === PERCENT) {
      const rule = findEscapeFault(target, at)
      if (rule) return rule
      at += 2
    }
  }
}

function isDotSegment(target: string, start: number, end: number): boolean {
  const length = end - start
  if (length < 1 || length > 2 || target.charCodeAt(start) !== DOT) return false
  return length === 1 || target.charCodeAt(start + 1) === DOT
}

function findEscapeFault(target: string, at: number): PathRule | undefined {
  const high = digits[target.charCodeAt(at + 1)] ?? 255
  const low = digits[target.charCodeAt(at + 2)] ?? 255
  if (high > 15 || low > 15) return 'escape'
  const code = high * 16 + low
  if (code === SLASH || code === BACKSLASH) return 'escaped-separator'
  if (code < 32 || code === 127) return 'escaped-control'
  return isUnreserved(code) ? 'escaped-unreserved' : undefined
}

/** RFC 3986 2.3: an escape of such a character and the character are equivalent. */
function isUnreserved(code: number): boolean {
  const letter = code | 32
  if (letter >= 97 && letter <= 122) return true
  return (code >= 48 && code <= 57) || code === 45 || code === DOT || code === 95 || code === 126
}
