import path from 'node:path'
import type { Block } from './blocks.ts'

/** A program made of one example, or of several that continue each other. */
export interface Example {
  document: string
  line: number
  /** Where it runs: the package's folder, since its imports are resolved there. */
  folder: string
  program: string
}

/** An example that is part of a file that a test runs. */
export interface Quote {
  document: string
  line: number
  file: string
  code: string
}

const EXAMPLE = /^ example(?: in (\S+))?(?: (continues))?\n(.*)$/s
const AFTERWARDS = /^ afterwards\n(.*)$/s
const QUOTE = /^ same as (\S+) $/

/**
 * The examples of documents, in TypeScript. A comment before the block states what the reader has
 * already: `<!-- example`, on the next lines code that runs before it, `-->`. With `in FOLDER` it
 * runs there; with `continues` it is appended to the example before it. A comment after the block,
 * `<!-- afterwards`, checks the result and closes what was opened. An example that is part of a test
 * file has `<!-- same as FILE -->` instead.
 */
export function examplesOf(blocks: readonly Block[]): {
  examples: Example[]
  quotes: Quote[]
  unmarked: Block[]
} {
  const examples: Example[] = []
  const quotes: Quote[] = []
  const unmarked: Block[] = []
  for (const block of blocks) {
    const { document, line, code, before = '', after = '' } = block
    const file = QUOTE.exec(before)?.[1]
    const marked = EXAMPLE.exec(before)
    if (file !== undefined) {
      quotes.push({ document, line, file, code })
      continue
    }
    if (!marked) {
      unmarked.push(block)
      continue
    }
    const [, folder = path.dirname(document), continues, preamble = ''] = marked
    const program = [preamble, code, AFTERWARDS.exec(after)?.[1] ?? ''].join('\n')
    const last = examples.at(-1)
    if (continues && last?.document === document) last.program += `\n${program}`
    else examples.push({ document, line, folder, program })
  }
  return { examples, quotes, unmarked }
}
