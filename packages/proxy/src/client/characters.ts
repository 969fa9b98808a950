/** RFC 9110 5.6.2: the characters of a name of a field and of a method. */
export const TOKEN = tableOf(/[!#$%&'*+\-.^_`|~0-9A-Za-z]/)

/** RFC 9110 5.5: visible characters, space, tab and obs-text. */
export const FIELD_VALUE = tableOf(/[\t\x20-\x7e\x80-\xff]/)

/** The characters of the target of a request: no space and no control character. */
const TARGET = tableOf(/[\x21-\x7e\x80-\xff]/)

/** A table has a 1 for each character that is allowed, and nothing beyond Latin-1. */
function tableOf(allowed: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) =>
    allowed.test(String.fromCharCode(code)) ? 1 : 0,
  )
}

export function isToken(text: string): boolean {
  return text.length > 0 && hasOnly(text, TOKEN)
}

export function isFieldValue(text: string): boolean {
  return hasOnly(text, FIELD_VALUE)
}

export function isTarget(text: string): boolean {
  return text.startsWith('/') && hasOnly(text, TARGET)
}

function hasOnly(text: string, allowed: Uint8Array): boolean {
  for (let i = 0; i < text.length; i += 1) if (allowed[text.charCodeAt(i)] !== 1) return false
  return true
}
