/** `\r\n$<length>\r\n`, which stands before an argument, by its length. */
const BEFORE: string[] = Array.from({ length: 128 }, (_, length) => `\r\n$${length}\r\n`)

/** Adds an argument, of one or two parts, to a command in pieces. */
export function addArgument(pieces: string[], text: string, more = ''): void {
  const length = Buffer.byteLength(text) + (more === '' ? 0 : Buffer.byteLength(more))
  pieces.push(BEFORE[length] ?? `\r\n$${length}\r\n`, text, more)
}
