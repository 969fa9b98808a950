import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { hasCode } from '@repo/embedded'
import { endWithProgram, whenInterrupted } from './ending.ts'
import { progress } from './report.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
/** The state, the ports and the data of no other cluster. */
const STATE = '.threefold/chaos'
const PORT = 9380
const PORTS = 9400

interface Instance {
  app: string
  id: string
  url: string
  pid: number
}

interface Description {
  databaseUrl: string
  redisUrl: string
  stores: { name: string; pid: number }[]
  instances: Instance[]
}

export interface Cluster {
  edge: string
  /** Its description of itself, which is written again when an instance starts or ends. */
  file: string
  /** The URLs of PostgreSQL and of Valkey, and the process of Valkey. */
  stores(): { databaseUrl: string; redisUrl: string; valkeyPid: number }
  /** The instances that run now, in their present processes. */
  instances(app?: string): Instance[]
  /** Waits until the instance serves in another process than this one. */
  whenBack(killed: Instance): Promise<void>
  stop(): Promise<void>
}

/** Starts a cluster of three of everything with an empty database, and without limits of requests. */
export async function startCluster(): Promise<Cluster> {
  progress('starting a cluster (the first start builds web) …')
  const args = ['--fresh', '--json', '--port', String(PORT), '--ports', String(PORTS)]
  const launcher = spawn(process.execPath, [join(ROOT, 'infra/local/src/main.ts'), ...args], {
    cwd: ROOT,
    // A separate process group: Ctrl-C reaches this program only, which stops the cluster in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      THREEFOLD_STATE: STATE,
      LIMITS_FILE: join(ROOT, 'apps/gateway/limits.load-test.json'),
    },
  })
  endWithProgram(launcher, 'SIGTERM')
  const file = join(ROOT, STATE, 'cluster.json')
  const read = (): Description => JSON.parse(readFileSync(file, 'utf8'))
  const ended = once(launcher, 'exit')
  let stopping: Promise<void> | undefined

  async function stopOnce() {
    // A scenario may have stopped some of them.
    if (existsSync(file)) for (const { pid } of [...read().instances, ...read().stores]) resume(pid)
    launcher.kill('SIGTERM')
    await ended
    rmSync(join(ROOT, STATE, 'postgres'), { recursive: true, force: true })
  }
  const stop = () => (stopping ??= stopOnce())
  whenInterrupted(stop)
  const edge = await readyEvent(launcher)
  return {
    edge,
    file,
    stores() {
      const { databaseUrl, redisUrl, stores } = read()
      const valkey = stores.find(({ name }) => name === 'valkey')
      if (!valkey) throw new Error('the cluster has no embedded Valkey')
      return { databaseUrl, redisUrl, valkeyPid: valkey.pid }
    },
    instances: (app) => read().instances.filter((each) => app === undefined || each.app === app),
    async whenBack({ id, pid }) {
      for (;;) {
        const now = read().instances.find((each) => each.id === id)
        const isBack = now && now.pid !== pid && (await isReady(now.url))
        if (isBack) return
        await wait(100)
      }
    },
    stop,
  }
}

/** Continues a process that may have ended. */
function resume(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT')
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/readyz`)
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}

async function readyEvent(launcher: ChildProcess): Promise<string> {
  if (!launcher.stdout) throw new Error('the launcher has no output')
  for await (const line of createInterface(launcher.stdout)) {
    const message: { event?: string; edge?: string } = JSON.parse(line)
    if (message.event === 'ready' && message.edge) {
      launcher.stdout.resume()
      // From another address than that of the attacker, so IPv4 only.
      return message.edge.replace('localhost', '127.0.0.1')
    }
  }
  throw new Error('the cluster did not start')
}
