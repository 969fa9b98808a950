import { readFileSync } from 'node:fs'
import path from 'node:path'
import { isSource, listFiles } from '../files.ts'
import { passagesOfSource } from '../language/source-text.ts'

/** `| I4 | After a break ...`: a row that defines an invariant. */
const DEFINITION = /^\| ([A-Z]\d+) \|/gm

/**
 * A numbered invariant of a package's README or DESIGN is named in a comment of the source that keeps
 * it, and in the title of a test that proves it.
 *
 * @returns a line for each invariant that is not
 */
export function checkInvariants(root: string) {
  const inSource = new Set<string>()
  const inTitles = new Set<string>()
  for (const file of listFiles(root, '{apps,packages,e2e}/**/*.{ts,tsx}')) {
    const text = readFileSync(path.join(root, file), 'utf8')
    for (const passage of passagesOfSource(file, text)) {
      const isComment = passage.kind === 'comment' && isSource(file)
      const names = isComment ? inSource : passage.kind === 'title' ? inTitles : undefined
      for (const [name] of passage.text.matchAll(/\b[A-Z]\d+\b/g)) names?.add(name)
    }
  }
  return listFiles(root, 'packages/*/{README,DESIGN}.md').flatMap((file) => {
    const text = readFileSync(path.join(root, file), 'utf8')
    return [...text.matchAll(DEFINITION)].flatMap(([, name = '']) => [
      ...(inSource.has(name) ? [] : [`${name} of ${file} is named in no comment of the source`]),
      ...(inTitles.has(name) ? [] : [`${name} of ${file} is named in no title of a test`]),
    ])
  })
}
