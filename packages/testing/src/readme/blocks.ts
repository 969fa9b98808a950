/** A fenced block of code in a Markdown document. */
export interface Block {
  document: string
  /** The line of the fence, from 1. */
  line: number
  language: string
  code: string
  /** The HTML comment that ends on the line before the fence, and the one that begins after it. */
  before: string | undefined
  after: string | undefined
}

const FENCE = /^```(\S*)\n(.*?)^```$/gms

/** All fenced blocks, with the comments that state how an example is run. */
export function blocksOf(document: string, text: string): Block[] {
  return [...text.matchAll(FENCE)].map((match) => {
    const [whole, language = '', code = ''] = match
    const preceding = text.slice(0, match.index)
    const following = text.slice(match.index + whole.length)
    return {
      document,
      line: preceding.split('\n').length,
      language,
      code,
      before: /<!--((?:(?!-->).)*)-->\s*$/s.exec(preceding)?.[1],
      after: /^\s*<!--((?:(?!-->).)*)-->/s.exec(following)?.[1],
    }
  })
}
