import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
} from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { blocksOf } from './blocks.ts'
import { examplesOf } from './examples.ts'

interface Manifest {
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
}

const SENTENCE = /^To use this package alone, copy (?:.+\n)+/m

/** The folders that a README lists for a project which uses the package alone; none without it. */
export function foldersToCopy(readme: string): string[] {
  const paragraph = SENTENCE.exec(`${readme}\n`)?.[0] ?? ''
  return [...paragraph.matchAll(/`packages\/([\w-]+)`/g)].map(([, name = '']) => name)
}

/**
 * Copies packages into an empty project, with their dependencies from npm, and without their tests.
 * A `@repo` package that is not copied cannot be imported there.
 */
export function copyPackages(root: string, names: readonly string[], project: string): void {
  for (const name of names) {
    const from = path.join(root, 'packages', name)
    const to = path.join(project, 'packages', name)
    cpSync(from, to, { recursive: true, filter: isCopied })
    const { dependencies, peerDependencies } = manifestOf(from)
    linkDependencies(from, to, { ...dependencies, ...peerDependencies })
    // An example may also import what a copied package imports, such as Hono.
    linkDependencies(from, project, { ...dependencies, ...peerDependencies })
    link(to, path.join(project, 'node_modules/@repo', name))
  }
}

/**
 * Writes the examples of a package's README into the project, where its dependencies can be imported.
 *
 * @returns the files
 */
export async function writeReadmeExamples(root: string, name: string, project: string) {
  const from = path.join(root, 'packages', name)
  const { dependencies, devDependencies, peerDependencies } = manifestOf(from)
  linkDependencies(from, project, { ...dependencies, ...devDependencies, ...peerDependencies })
  const readme = readFileSync(path.join(from, 'README.md'), 'utf8')
  const blocks = blocksOf('README.md', readme).filter(({ language }) => language === 'ts')
  return Promise.all(
    examplesOf(blocks).examples.map(async (example, i) => {
      const file = path.join(project, `example-${i + 1}.ts`)
      await writeFile(file, example.program)
      return { ...example, file, folder: '.' }
    }),
  )
}

export function packageNames(root: string): string[] {
  const manifests = globSync('packages/*/package.json', { cwd: root })
  return manifests.map((file) => path.basename(path.dirname(file))).toSorted()
}

const isCopied = (file: string) =>
  !/(^|\/)(node_modules|bench)$|\.(test|fixture)\.tsx?$/.test(file.replaceAll(path.sep, '/'))

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
}

/** Links what is installed in a package of this repository. `@repo` packages are left out. */
function linkDependencies(from: string, to: string, dependencies: Record<string, string>) {
  for (const name of Object.keys(dependencies).filter((other) => !other.startsWith('@repo/'))) {
    link(realpathSync(path.join(from, 'node_modules', name)), path.join(to, 'node_modules', name))
  }
}

function link(target: string, file: string) {
  if (existsSync(file)) return
  mkdirSync(path.dirname(file), { recursive: true })
  symlinkSync(target, file, 'dir')
}
