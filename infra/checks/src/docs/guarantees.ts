import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { passagesOfSource } from '../language/source-text.ts'

const DOCUMENT = 'docs/guarantees.md'
const COLUMNS = ['promise', 'kept in', 'proved by']
const LINK = /\[([^\]]+)\]\(\.\.\/([^)\s]+)\)/g

export interface Guarantee {
  line: number
  promise: string
  keptIn: { text: string; file: string }[]
  provedBy: { text: string; file: string }[]
}

/**
 * Each row of docs/guarantees.md has a promise, the files that keep it, and the tests that prove it. A
 * link to a test has the title of that test as its text. A link to a drill or a script has any text.
 *
 * @returns a line for each fault
 */
export function checkGuarantees(root: string): string[] {
  const { guarantees, faults } = readGuarantees(readFileSync(path.join(root, DOCUMENT), 'utf8'))
  const titles = new Map<string, ReadonlySet<string>>()
  const titlesIn = (file: string) => {
    const found = titles.get(file) ?? titlesOf(path.join(root, file))
    titles.set(file, found)
    return found
  }
  for (const { line, keptIn, provedBy } of guarantees) {
    const fault = (text: string) => faults.push(`${DOCUMENT}:${line} ${text}`)
    if (keptIn.length === 0) fault('has no link in its second column')
    if (provedBy.length === 0) fault('has no link in its third column')
    for (const { file } of [...keptIn, ...provedBy]) {
      if (!existsSync(path.join(root, file))) fault(`names ${file}, which does not exist`)
    }
    for (const { text, file } of provedBy) {
      if (!existsSync(path.join(root, file)) || !file.endsWith('.ts')) continue
      const tests = titlesIn(file)
      if (tests.size > 0 && !tests.has(normalize(text))) fault(`${file} has no test "${text}"`)
    }
  }
  return faults
}

/** The rows of all tables. A table with other columns, or a row with other cells, is a fault. */
export function readGuarantees(text: string): { guarantees: Guarantee[]; faults: string[] } {
  const guarantees: Guarantee[] = []
  const faults: string[] = []
  let isHead = true
  for (const [i, row] of text.split('\n').entries()) {
    if (!row.startsWith('|')) {
      isHead = true
      continue
    }
    const cells = row.split(/(?<!\\)\|/).slice(1, -1)
    const [promise = '', keptIn = '', provedBy = ''] = cells.map((cell) => cell.trim())
    const place = `${DOCUMENT}:${i + 1}`
    if (isHead) {
      isHead = false
      const columns = cells.map((cell) => cell.trim()).join(' | ')
      if (columns !== COLUMNS.join(' | ')) faults.push(`${place} has the columns ${columns}`)
    } else if (!/^[-: ]*$/.test(promise)) {
      if (cells.length !== COLUMNS.length) faults.push(`${place} has ${cells.length} cells`)
      if (guarantees.some((other) => other.promise === promise)) faults.push(`${place} is doubled`)
      guarantees.push({
        line: i + 1,
        promise,
        keptIn: linksIn(keptIn),
        provedBy: linksIn(provedBy),
      })
    }
  }
  if (guarantees.length === 0) faults.push(`${DOCUMENT} has no rows`)
  return { guarantees, faults }
}

const linksIn = (cell: string) =>
  [...cell.matchAll(LINK)].map(([, text = '', file = '']) => ({ text, file }))

/** Titles of a file with tests; none for a drill. `…` stands for each interpolated value. */
function titlesOf(file: string): ReadonlySet<string> {
  const passages = passagesOfSource(file, readFileSync(file, 'utf8'))
  return new Set(passages.flatMap(({ kind, text }) => (kind === 'title' ? normalize(text) : [])))
}

/** Documents write `…` for an interpolated value, and escape what Markdown would read. */
const normalize = (title: string) =>
  title
    .replace(/·+|\$\{[^}]*\}/g, '…')
    .replace(/\\(.)/g, '$1')
    .replace(/\s+/g, ' ')
    .trim()
