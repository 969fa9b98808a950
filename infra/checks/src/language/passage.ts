/** A title names a test, a group holds tests, and a name is an identifier that a file declares. */
export type Kind = 'comment' | 'document' | 'group' | 'message' | 'name' | 'page' | 'title'

/** A passage of prose. Its text has the length of the source, so that positions agree. */
export interface Passage {
  kind: Kind
  text: string
  /** The offset of the text in its file. */
  start: number
}

/** Replaces each match with spaces of the same length; line breaks stay. */
export function cover(text: string, pattern: RegExp): string {
  return text.replace(pattern, (match) => match.replace(/[^\n]/g, ' '))
}

/** Replaces quoted code, links and addresses by one neutral character. */
export function coverCode(text: string): string {
  return text.replace(/`[^`]*`|https?:\/\/\S+|\]\([^)]*\)/g, (match) =>
    match.replace(/[^\n]/g, '·'),
  )
}

export function countWords(text: string): number {
  return text.match(/\p{L}[\p{L}'’-]*/gu)?.length ?? 0
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}
