import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const SCRIPT = fileURLToPath(new URL('guard.sh', import.meta.url))

export interface Guard {
  /** The process to end, then those of its children that are stopped; none when it is down. */
  watch(pids: readonly number[]): void
  release(): void
}

/**
 * Ends a process that must not outlive this one, also when this one is killed and when the process
 * is stopped by SIGSTOP. The guard is a shell that waits for the end of its input.
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
    detached: true, // Ctrl-C goes to a whole foreground group, and the guard has to survive it.
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const { stdin } = shell
  shell.unref()
  // In Node it is a socket, which its type does not say: alone it must not keep this process up.
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  // A guard that was killed guards nothing; that is no reason to end what it guarded.
  stdin.on('error', () => undefined)
  // Without `sh` there is no guard; the server itself works.
  shell.on('error', () => undefined)
  if (after !== undefined) stdin.write(`after ${after}\n`)
  return {
    watch: (pids) => void stdin.write(`watch ${pids.join(' ')}\n`),
    release: () => void (stdin.writable && stdin.end('release\n')),
  }
}
