const BITS = 16
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/**
 * Whether a mac (base64url, so its characters are random) was probably met before: what comes once
 * is not worth remembering, and would push out what is. In 64 KB, without an allocation (the
 * doorkeeper of Einziger, Friedman and Manes, TinyLFU, 2017).
 */
export function createDoorkeeper() {
  const met = new Uint8Array(2 ** BITS)

  return (mac: string): boolean => {
    let bits = 0
    for (let at = 0; at < 4; at += 1) bits = bits * 64 + ALPHABET.indexOf(mac.charAt(at))
    const place = bits >>> 8
    const mark = bits & 255 || 1
    if (met[place] === mark) return true
    met[place] = mark
    return false
  }
}
