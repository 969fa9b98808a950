import { spawn } from 'node:child_process'

// `read` fails when our end of the pipe is gone, however we died: SIGKILL too.
const SCRIPT = `
pids=
while read -r word rest; do
  case $word in
    watch) pids=$rest ;;
    release) exit ;;
  esac
done
if [ -n "$pids" ]; then
  kill -CONT $pids
  kill -$1 \${pids%% *}
fi
[ -n "$2" ] || exit
tries=0
while kill -0 $pids && [ $((tries += 1)) -lt 50 ]; do sleep 0.1; done
rm -rf -- "$2"
`

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
}: {
  signal: NodeJS.Signals
  /** A folder that goes with the process. */
  remove?: string | undefined
}): Guard {
  const shell = spawn('sh', ['-c', SCRIPT, 'guard', signal.replace('SIG', ''), remove], {
    detached: true, // Ctrl-C goes to a whole foreground group, and the guard has to survive it.
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  shell.unref()
  const { stdin } = shell
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  // A guard that was killed guards nothing; that is no reason to end what it guarded.
  stdin.on('error', () => undefined)
  return {
    watch: (pids) => stdin.write(`watch ${pids.join(' ')}\n`),
    release: () => void (stdin.writable && stdin.end('release\n')),
  }
}
