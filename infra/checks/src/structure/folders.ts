import path from 'node:path'
import { isSource, listFiles, packageOf } from '../files.ts'

const MAX_IN_FOLDER = 15

/** Packages that were flat once stay small as a whole. */
const MAX_IN_PACKAGE = new Map([
  ['cache-broadcast', 40],
  ['ratelimit', 40],
  ['session', 40],
])

/** @returns a line for each folder and package with too many source files */
export function checkFolders(root: string) {
  const files = listFiles(root, '{apps,packages,infra,e2e}/**/*.{ts,tsx}').filter(isSource)
  const folders = Map.groupBy(files, (file) => path.dirname(file))
  const packages = Map.groupBy(files, packageOf)
  return [
    ...[...folders]
      .filter(([, { length }]) => length > MAX_IN_FOLDER)
      .map(([name, { length }]) => `${name} has ${length} source files: at most ${MAX_IN_FOLDER}`),
    ...[...MAX_IN_PACKAGE]
      .map(([name, most]) => ({ name, most, count: packages.get(name)?.length ?? 0 }))
      .filter(({ most, count }) => count > most)
      .map(({ name, most, count }) => `package ${name} has ${count} source files: at most ${most}`),
  ]
}
