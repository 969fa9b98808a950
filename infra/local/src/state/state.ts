import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasCode, untilUnused } from '@repo/embedded'

/** The repository's root. */
export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))
/** The state of the cluster that you use. The tests have another folder. */
export const HOME = join(ROOT, '.threefold')
/**
 * The folder of a local cluster: data, logs, caches. It can be deleted while no cluster runs. Another folder
 * (`THREEFOLD_STATE`) is another cluster, such as the cluster of the tests.
 */
export const STATE = resolve(ROOT, process.env['THREEFOLD_STATE'] ?? HOME)
export const CLUSTER_FILE = join(STATE, 'cluster.json')

/** Creates the folders of the lock. */
export function createStateDirs(): void {
  mkdirSync(HOME, { recursive: true })
  mkdirSync(STATE, { recursive: true })
}

/**
 * Empties the logs and, with `fresh`, the data of earlier runs. The caller holds the lock of the state.
 *
 * @throws Error when a PostgreSQL runs on the data
 */
export async function prepareState({ fresh }: { fresh: boolean }): Promise<void> {
  if (fresh) {
    await untilUnused(join(STATE, 'postgres/cluster'), 5_000)
    rmSync(join(STATE, 'postgres'), { recursive: true, force: true })
  }
  // Logs of earlier runs would mislead.
  rmSync(join(STATE, 'logs'), { recursive: true, force: true })
  rmSync(CLUSTER_FILE, { force: true })
  mkdirSync(join(STATE, 'logs'), { recursive: true })
}

/** Writes a file. Readers see the old content or the new content, never a part. */
export function writeState(file: string, value: unknown): void {
  const scratch = writeScratch(file, value)
  renameSync(scratch, file)
}

function writeScratch(file: string, value: unknown): string {
  const scratch = `${file}.${process.pid}`
  writeFileSync(scratch, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  return scratch
}

/** Reads the JSON of a file. Returns undefined when it is missing or damaged. */
export function readState(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

const SECRETS = [
  'AUTH_SECRET',
  'INTERNAL_SECRET',
  'NEXT_SERVER_ACTIONS_ENCRYPTION_KEY',
  'POSTGRES_PASSWORD',
  'TRACE_SECRET',
]

/**
 * The secrets of this checkout's clusters. The first start creates them, and sessions outlive restarts.
 *
 * @throws Error when the file exists and cannot be used: new secrets would end all sessions
 */
export function localSecrets(): Record<string, string> {
  const file = join(HOME, 'secrets.json')
  const stored = readSecrets(file)
  if (stored && SECRETS.every((name) => stored[name])) return stored
  const created = SECRETS.map((name) => [name, randomBytes(32).toString('base64')])
  const secrets: Record<string, string> = { ...Object.fromEntries(created), ...stored }
  if (stored) {
    writeState(file, secrets)
    return secrets
  }
  // The clusters of a checkout share the file: the first cluster creates it.
  const scratch = writeScratch(file, secrets)
  try {
    linkSync(scratch, file)
    return secrets
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
    return localSecrets()
  } finally {
    rmSync(scratch, { force: true })
  }
}

function readSecrets(file: string): Record<string, string> | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof value !== 'object' || value === null) throw new Error('it is not an object')
    return Object.fromEntries(Object.entries(value).map(([name, secret]) => [name, String(secret)]))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(
      `${file} holds the secrets of this checkout and cannot be used (${reason}): restore it, or remove it, which ends all sessions`,
      { cause: error },
    )
  }
}
