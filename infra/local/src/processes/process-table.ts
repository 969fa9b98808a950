import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import {
  identify,
  isCertainlyRunning,
  isRunning,
  type ProcessIdentity,
  signal,
} from '@repo/embedded'
import { readState, STATE, writeState } from '../state/state.ts'
import type { ClusterGuard } from './cluster-guard.ts'

const FILE = join(STATE, 'processes.json')
/** An instance that drains ends within a second or two when it has nothing in flight. */
const GRACE_MS = 10_000

interface Entry extends ProcessIdentity {
  name: string
}

/** The processes of the running cluster, in `.threefold/processes.json` and in its guard. */
export interface ProcessTable {
  add(name: string, pid: number): void
  remove(name: string, pid: number): void
  /** Ends the processes that still run, for example instances that were starting. */
  endAll(): Promise<void>
}

/** Only the launcher that holds the lock of the state creates a table: it writes the file. */
export function createProcessTable(guard: Pick<ClusterGuard, 'watch'>): ProcessTable {
  let entries: Entry[] = []

  function update(changed: Entry[]) {
    entries = changed
    guard.watch(entries)
    try {
      writeState(FILE, entries)
    } catch (error) {
      // The guard has the list as well: a full disk does not end the cluster.
      process.stderr.write(`${FILE} cannot be written: ${String(error)}\n`)
    }
  }

  return {
    add(name, pid) {
      const identity = identify(pid)
      if (!identity) return
      update([...entries.filter((entry) => entry.name !== name), { name, ...identity }])
    },
    remove(name, pid) {
      update(entries.filter((entry) => entry.name !== name || entry.pid !== pid))
    },
    async endAll() {
      await end(entries.filter(({ pid }) => pid !== process.pid))
      update([])
    },
  }
}

/** The launcher that wrote the table last, if it still runs. */
export function findLauncher(): ProcessIdentity | undefined {
  const launcher = readEntries().find(({ name }) => name === 'launcher')
  return launcher && isRunning(launcher) ? launcher : undefined
}

/**
 * Ends the processes of a killed launcher, by pid and start time: instances first, then the stores that
 * they use. The caller holds the lock of the state.
 */
export async function endOrphans(
  describe: (activity: string) => void = () => undefined,
): Promise<string[]> {
  const orphans = readEntries().filter(
    (entry) => entry.name !== 'launcher' && isCertainlyRunning(entry),
  )
  if (orphans.length > 0) describe(`ending ${orphans.length} processes of a killed start`)
  await end(orphans.filter(({ name }) => !STORES.has(name)))
  await end(orphans.filter(({ name }) => STORES.has(name)))
  return orphans.map(({ name }) => name)
}

/** Empties the table of a killed launcher. The caller holds the lock of the state. */
export function clearTable(): void {
  writeState(FILE, [])
}

export const STORES = new Set(['postgres', 'valkey'])

async function end(entries: readonly Entry[]) {
  const running = entries.filter(isCertainlyRunning)
  // SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for its clients.
  for (const { name, pid } of running) signal([pid], name === 'postgres' ? 'SIGINT' : 'SIGTERM')
  const giveUpAt = performance.now() + GRACE_MS
  while (running.some(isCertainlyRunning) && performance.now() < giveUpAt) await wait(50)
  for (const { pid } of running.filter(isCertainlyRunning)) signal([pid], 'SIGKILL')
  while (running.some(isCertainlyRunning)) await wait(20)
}

function readEntries(): Entry[] {
  const list = readState(FILE)
  return Array.isArray(list) ? list.filter(isEntry) : []
}

function isEntry(value: unknown): value is Entry {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['name', 'pid', 'startedAt'].every((field) => field in value)
  )
}
