import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { App } from '../stack/containers.ts'
import { RELEASE_FILE } from '../stack/env.ts'

/** Reads `.env` beside the compose files. Compose reads the same file. */
export function readRelease(): Record<string, string> {
  if (!existsSync(RELEASE_FILE)) return {}
  const entries = Object.entries(parseEnv(readFileSync(RELEASE_FILE, 'utf8')))
  return Object.fromEntries(entries.map(([name, value]) => [name, value ?? '']))
}

/** Changes variables and leaves the others. Readers see the old file or the new file, never a part. */
export function writeRelease(changes: Record<string, string>): void {
  const all = { ...readRelease(), ...changes }
  const lines = Object.entries(all).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(`${RELEASE_FILE}.new`, lines.join(''))
  renameSync(`${RELEASE_FILE}.new`, RELEASE_FILE)
}

export const tagVariable = (app: App) => `${app.toUpperCase()}_TAG`
export const previousVariable = (app: App) => `${app.toUpperCase()}_PREVIOUS_TAG`
