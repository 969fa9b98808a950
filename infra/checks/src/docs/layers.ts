import { readFileSync } from 'node:fs'
import path from 'node:path'
import { listFiles } from '../files.ts'

const DOCUMENT = 'docs/architecture.md'
const ROW = /^\| `(packages\/[\w-]+)` \|[^|]+\|([^|]*)\|$/gm

/**
 * Each package has one row in docs/architecture.md. The last cell lists the packages of its `dependencies`.
 *
 * @returns a line for each fault
 */
export function checkLayers(root: string): string[] {
  const rows = [...readFileSync(path.join(root, DOCUMENT), 'utf8').matchAll(ROW)]
  return listFiles(root, 'packages/*/package.json').flatMap((manifest) => {
    const folder = path.dirname(manifest)
    const found = rows.filter(([, name]) => name === folder)
    if (found.length !== 1) return `${DOCUMENT} has ${found.length} rows for ${folder}: write one`
    const listed = [...(found[0]?.[2] ?? '').matchAll(/`([\w-]+)`/g)].map(([, name = '']) => name)
    const declared = dependenciesOf(path.join(root, manifest))
    if (listed.toSorted().join() === declared.toSorted().join()) return []
    return `${DOCUMENT} lists other imports for ${folder} than its package.json: write ${declared.join(', ') || 'none'}`
  })
}

function dependenciesOf(manifest: string): string[] {
  const { dependencies = {} }: { dependencies?: Record<string, string> } = JSON.parse(
    readFileSync(manifest, 'utf8'),
  )
  return Object.keys(dependencies)
    .filter((name) => name.startsWith('@repo/'))
    .map((name) => name.slice('@repo/'.length))
}
