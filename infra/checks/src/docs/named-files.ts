import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { listFiles } from '../files.ts'

const DOCUMENTS = ['*.md', '{docs,.github}/**/*.md', '{apps,packages,infra,e2e}/**/*.md']
const IN_BACKTICKS =
  /`((?:apps|packages|infra|e2e|docs)\/[\w./-]+\.(?:tsx?|yaml|cfg|conf|md|sh|sql))`/g
const LINK = /\]\(([^)\s#]+)(?:#[^)]*)?\)/g

/** @returns a line for each file that a document names or links to, and that does not exist */
export function checkNamedFiles(root: string): string[] {
  return listFiles(root, ...DOCUMENTS).flatMap((document) => {
    const text = readFileSync(path.join(root, document), 'utf8')
    const named = [...text.matchAll(IN_BACKTICKS)].map(([, file = '']) => file)
    const linked = [...text.matchAll(LINK)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:|^\//.test(target))
      .map((target) => path.join(path.dirname(document), target))
    return [...new Set([...named, ...linked])]
      .filter((file) => !existsSync(path.join(root, file)))
      .map((file) => `${document} names ${file}, which does not exist`)
  })
}
