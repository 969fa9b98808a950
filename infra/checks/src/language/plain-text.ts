import { cover, type Passage } from './passage.ts'

/** A Markdown document without code blocks, HTML comments and the rules of tables. */
export function passagesOfDocument(text: string): Passage[] {
  // A generated part, such as the tables of a bench, is not prose.
  const generated = /^<!-- begin ([\w -]+) -->.*?^<!-- end \1 -->/gms
  const prose = cover(cover(text, generated), /^```.*?^```|<!--.*?-->|^\|[ :|-]+\|$/gms)
  return [...prose.matchAll(/(?:^.*\S.*$\n?)+/gm)].map((match) => ({
    kind: 'document',
    text: cover(match[0], /^[ \t]*(?:#+|[-*>]|\d+\.)[ \t]/gm),
    start: match.index,
  }))
}

/** The comments of a shell script, a YAML file or another file whose comments begin with one mark. */
export function passagesOfComments(text: string, mark: '#' | '--'): Passage[] {
  const lines = new RegExp(`(?:^[ \\t]*${mark}(?!!).*\\n?)+`, 'gm')
  return [...text.matchAll(lines)].map((match) => ({
    kind: 'comment',
    text: cover(match[0], new RegExp(`^[ \\t]*${mark}+`, 'gm')),
    start: match.index,
  }))
}
