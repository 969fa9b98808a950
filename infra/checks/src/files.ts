import { globSync } from 'node:fs'

const IGNORED = /(^|\/)(node_modules|\.next|\.threefold|migrations|test-results|dist)(\/|$)/

/** Files of the repository that match, sorted, without dependencies and what is generated. */
export function listFiles(root: string, ...patterns: string[]): string[] {
  const files = globSync(patterns, { cwd: root, exclude: isIgnored })
  return [...new Set(files)].filter((file) => !isIgnored(file)).toSorted()
}

const isIgnored = (file: string) => IGNORED.test(file)

/** `packages/session/src/x.ts` -> `session`; documents of the root and `docs/` -> `docs`. */
export function packageOf(file: string): string {
  const [top = '', name = ''] = file.split('/')
  if (/^(apps|packages|infra)$/.test(top)) return name.includes('.') ? top : name
  return top === 'e2e' ? 'e2e' : 'docs'
}

/** Tests, fixtures, conformance suites and benches are not source. */
export function isSource(file: string): boolean {
  const isAside = /\.(test|spec|fixture|config|d)\.tsx?$|(^|\/)[\w-]*conformance[\w-]*(\.ts$|\/)/
  return /\.tsx?$/.test(file) && !isAside.test(file) && !/^packages\/[^/]+\/bench\//.test(file)
}
