import { join } from 'node:path'
import { PreflightError } from '../machine/preflight.ts'
import { type Lock, tryLock } from '../state/lock.ts'
import { CLUSTER_FILE, createStateDirs, readState, STATE } from '../state/state.ts'
import { findLauncher } from './process-table.ts'

export const LOCK_FILE = join(STATE, 'launcher.lock')

/**
 * Takes the right to write and delete in the state's folder. The right lasts until the lock is
 * released or this process ends.
 *
 * @throws PreflightError that names the launcher that has it
 */
export function claimState(): Lock {
  createStateDirs()
  const lock = tryLock(LOCK_FILE)
  // The recorded launcher can run although its lock is free: its lock file was deleted.
  if (lock && !findLauncher()) return lock
  lock?.release()
  throw new PreflightError(describeOwner())
}

function describeOwner(): string {
  const launcher = findLauncher()
  const owner = launcher ? `process ${launcher.pid}` : 'another process'
  const edge = edgeOf(readState(CLUSTER_FILE))
  const where = edge === undefined ? ', which is starting or stopping' : ` at ${edge}`
  return `a cluster runs here already (${owner})${where}: stop it with \`npx -y pnpm@12 stop\`, or with Ctrl-C in its terminal`
}

function edgeOf(cluster: unknown): string | undefined {
  return typeof cluster === 'object' && cluster !== null && 'edge' in cluster
    ? String(cluster.edge)
    : undefined
}
