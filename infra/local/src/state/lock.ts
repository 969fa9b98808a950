import { accessSync, constants, existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

/** Referenced here, since the garbage collection of a database would release its lock. */
const held = new Set<DatabaseSync>()

export interface Lock {
  release(): void
}

/**
 * Takes a lock on a file, or returns undefined when another process holds it. The kernel holds the
 * lock (fcntl, through SQLite) and releases it when this process ends, also by SIGKILL: no lock is
 * ever stale, and processes in different containers exclude each other.
 *
 * @param mode `shared` excludes only `exclusive`
 * @throws Error when the file system cannot lock or the file cannot be written
 */
export function tryLock(
  file: string,
  mode: 'exclusive' | 'shared' = 'exclusive',
): Lock | undefined {
  const database = new DatabaseSync(file, { open: false, timeout: 0 })
  try {
    // SQLite opens a read-only file for reading, and such a file has no exclusive lock.
    if (existsSync(file)) accessSync(file, constants.W_OK)
    database.open()
    database.exec('PRAGMA journal_mode = MEMORY')
    // A shared lock begins with the first read.
    const acquire = { exclusive: 'BEGIN EXCLUSIVE', shared: 'BEGIN; SELECT 1 FROM sqlite_schema' }
    database.exec(acquire[mode])
    held.add(database)
    return {
      release() {
        held.delete(database)
        database.close()
      },
    }
  } catch (error) {
    if (database.isOpen) database.close()
    if (isBusy(error)) return undefined
    throw new Error(`${file} cannot be locked: ${String(error)}`, { cause: error })
  }
}

const SQLITE_BUSY = 5

function isBusy(error: unknown): boolean {
  if (!(error instanceof Error && 'errcode' in error)) return false
  // The low byte is the primary code; the other bytes are its details.
  return typeof error.errcode === 'number' && (error.errcode & 0xff) === SQLITE_BUSY
}
