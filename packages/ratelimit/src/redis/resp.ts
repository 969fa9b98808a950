/** `\r\n$<length>\r\n`, which stands before an argument, by its length. */
const BEFORE: string[] = Array.from({ length: 128 }, (_, length) => `\r\n$${length}\r\n`)

/** What stands before an argument of this number of bytes. */
export function before(length: number): string {
  return BEFORE[length] ?? `\r\n$${length}\r\n`
}

/** Adds an argument, of one or two parts, to a command in pieces. */
export function addArgument(pieces: string[], text: string, more = ''): void {
  const length = Buffer.byteLength(text) + (more === '' ? 0 : Buffer.byteLength(more))
  pieces.push(before(length), text, more)
}

/** The parts of an argument in pieces. */
const PIECES = 3

/** A call of a script; `pieces` are of all keys and then of all arguments. */
export function scriptText(
  name: 'evalsha' | 'eval',
  script: string,
  keys: number,
  pieces: readonly string[],
): string {
  const all = [`*${3 + pieces.length / PIECES}`]
  for (const argument of [name, script, String(keys)]) addArgument(all, argument)
  all.push(...pieces, '\r\n')
  return all.join('')
}

/** A reply with texts in place of buffers. */
export function toText(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString()
  return Array.isArray(reply) ? reply.map(toText) : reply
}
