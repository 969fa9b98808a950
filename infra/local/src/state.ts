import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's root. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
/** The state of the cluster that you use; the tests have their own. */
export const HOME = join(ROOT, '.threefold')
/**
 * Everything that a local cluster keeps: data, logs, caches. Safe to delete when stopped. Another
 * folder (`THREEFOLD_STATE`) is another cluster, as the tests' is, beside the one you use.
 */
export const STATE = resolve(ROOT, process.env['THREEFOLD_STATE'] ?? HOME)
export const CLUSTER_FILE = join(STATE, 'cluster.json')

/** Makes the state's folders; with `fresh` the data of earlier runs is gone. */
export function prepareState({ fresh }: { fresh: boolean }): void {
  if (fresh) rmSync(join(STATE, 'postgres'), { recursive: true, force: true })
  // The logs are this run's: a log that says what was yesterday misleads.
  rmSync(join(STATE, 'logs'), { recursive: true, force: true })
  mkdirSync(HOME, { recursive: true })
  mkdirSync(join(STATE, 'logs'), { recursive: true })
}

/** Readers see the old file or the new one, never half of one. */
export function writeState(file: string, value: unknown): void {
  const scratch = `${file}.${process.pid}`
  writeFileSync(scratch, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  renameSync(scratch, file)
}

/** The file's JSON, or undefined when there is none (or it was damaged). */
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
]

/** Secrets of this checkout's clusters: made at the first start, kept so that sessions outlive restarts. */
export function localSecrets(): Record<string, string> {
  const file = join(HOME, 'secrets.json')
  const kept = readState(file)
  const known = typeof kept === 'object' && kept !== null ? Object.entries(kept) : []
  const found = new Map(known.map(([name, value]) => [name, String(value)]))
  const secrets = SECRETS.map((name) => [
    name,
    found.get(name) ?? randomBytes(32).toString('base64'),
  ])
  const all: Record<string, string> = Object.fromEntries(secrets)
  writeState(file, all)
  return all
}
