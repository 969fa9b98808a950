import { readFileSync } from 'node:fs'
import path from 'node:path'
import { listFiles } from '../files.ts'

const MAX_WORDS = 600

/** @returns a line for each package without a README, or with more than 600 words in it */
export function checkReadmes(root: string) {
  return listFiles(root, 'packages/*/package.json').flatMap((file) => {
    const readme = path.join(path.dirname(file), 'README.md')
    if (listFiles(root, readme).length === 0) return `${readme} is missing`
    const words = countProse(readFileSync(path.join(root, readme), 'utf8'))
    return words > MAX_WORDS ? `${readme} has ${words} words: at most ${MAX_WORDS}` : []
  })
}

/** Words outside of code blocks and HTML comments. */
export function countProse(text: string): number {
  const prose = text.replace(/^```.*?^```|<!--.*?-->/gms, '')
  return prose.split(/\s+/).filter((word) => /[\p{L}\d]/u.test(word)).length
}
