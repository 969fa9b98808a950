import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { stopOrder } from '@repo/services'

const SCRIPT = fileURLToPath(new URL('cluster-guard.sh', import.meta.url))

export interface ClusterGuard {
  readonly pid: number
  watch(processes: readonly { name: string; pid: number }[]): void
  release(): void
}

/** The order in which a cluster stops: each layer drains while the layers that it calls still serve. */
export const LAYERS: readonly string[] = ['edge', ...stopOrder]

/** The name of an instance begins with its layer: `auth-1`. */
export function layerOf(name: string): string {
  return name.split('-', 1)[0] ?? name
}

/**
 * Stops the instances when this process ends for any reason, in the order of the launcher. The guard is a
 * shell that waits for the end of its input.
 */
export function createClusterGuard({
  unwatched,
}: {
  /** Names that this guard leaves out: the launcher, and the stores, whose guards wait for this one. */
  unwatched: ReadonlySet<string>
}): ClusterGuard {
  const shell = spawn('sh', [SCRIPT], {
    detached: true, // A signal to the terminal's process group does not reach the guard.
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const { stdin } = shell
  shell.unref()
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  // The cluster continues without its guard. The next start ends remaining processes.
  stdin.on('error', () => undefined)
  shell.on('error', () => undefined)
  return {
    pid: shell.pid ?? 0,
    watch(processes) {
      if (!stdin.writable) return
      const watched = processes.filter(({ name }) => !unwatched.has(name))
      // One-off programs, such as a build, end first.
      const other = watched.filter(({ name }) => !LAYERS.includes(layerOf(name)))
      const layers = LAYERS.map((layer) => watched.filter(({ name }) => layerOf(name) === layer))
      const stages = [other, ...layers].map((stage) => stage.map(({ pid }) => pid).join(' '))
      stdin.write(`watch ${stages.join(' / ')}\n`)
    },
    release: () => void (stdin.writable && stdin.end('release\n')),
  }
}
