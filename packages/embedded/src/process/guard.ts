import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const SCRIPT = fileURLToPath(new URL('guard.sh', import.meta.url))

export interface Guard {
  /** The process to end, followed by its stopped children; empty while no process runs. */
  watch(pids: readonly number[]): void
  release(): void
}

/**
 * Ends a process when this process ends, also by SIGKILL, and also if SIGSTOP has stopped the process. The
 * guard is a shell that waits for the end of its input.
 */
export function createGuard({
  signal,
  remove = '',
  after,
}: {
  signal: NodeJS.Signals
  /** A folder that is deleted with the process. */
  remove?: string | undefined
  /** The pid of a process that must end first; at most 60 s. */
  after?: number | undefined
}): Guard {
  const shell = spawn('sh', [SCRIPT, signal.replace('SIG', ''), remove], {
    detached: true, // Ctrl-C ends the whole foreground group, and the guard must survive it.
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const { stdin } = shell
  shell.unref()
  // In Node.js it is a socket, although its type has no `unref`. It must not keep this process running.
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  // The server continues when its guard is killed.
  stdin.on('error', () => undefined)
  // Without `sh`, the server works and has no guard.
  shell.on('error', () => undefined)
  if (after !== undefined) stdin.write(`after ${after}\n`)
  return {
    watch: (pids) => void stdin.write(`watch ${pids.join(' ')}\n`),
    release: () => void (stdin.writable && stdin.end('release\n')),
  }
}
