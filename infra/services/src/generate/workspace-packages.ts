import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const SCOPE = '@repo/'

/** The packages of this repository whose code an app runs, in alphabetical order. */
export function packagesOf(root: string, app: string): string[] {
  const found = new Set<string>()
  const visit = (folder: string) => {
    for (const name of dependenciesOf(join(root, folder))) {
      if (found.has(name)) continue
      found.add(name)
      visit(join('packages', name))
    }
  }
  visit(join('apps', app))
  return [...found].toSorted()
}

function dependenciesOf(folder: string): string[] {
  const manifest: { dependencies?: Record<string, string> } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  )
  return Object.keys(manifest.dependencies ?? {})
    .filter((name) => name.startsWith(SCOPE))
    .map((name) => name.slice(SCOPE.length))
}
