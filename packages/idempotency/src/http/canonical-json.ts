const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Returns the text of a JSON body without spaces and with sorted keys, in UTF-8. Two bodies that
 * `JSON.parse` reads as the same value have the same text. A body that is not JSON, or is nested too
 * deeply, is returned as it is.
 */
export function canonicalJson(body: Uint8Array): Uint8Array {
  try {
    return Buffer.from(canonicalText(JSON.parse(decoder.decode(body))))
  } catch {
    // The bytes themselves are then compared.
    return body
  }
}

function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join()}]`
  // 1e400 is read as Infinity, whose JSON would be null.
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalText(member)}`).join()}}`
}
