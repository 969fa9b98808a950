import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { createGuard, freePort } from '@repo/embedded'
import { until } from '../until.ts'
import { createCalls } from './replica-calls.ts'

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

export interface Replica {
  /** `replica-1` and so on; the process has it as INSTANCE_ID. */
  readonly id: string
  readonly pid: number
  /** Where it listens if it does: its PORT on 127.0.0.1. */
  readonly url: string
  readonly exited: Promise<Exit>
  /**
   * Calls a method of `serveReplica`; the caller states the type of its result.
   * @throws Error with the name, message and code that were thrown there, or when the replica exits
   */
  call<T>(method: string, arg?: unknown): Promise<T>
  /** Waits until the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<Exit>
  /** SIGTERM; the exit code, null when a signal ended it. */
  terminate(): Promise<number | null>
  /** SIGSTOP: the process hangs where it is, its connections stay. */
  stop(): void
  /** SIGCONT. */
  continue(): void
  /** Its output on stdout and stderr. */
  output(): string
  lines(): string[]
}

export interface ReplicaOptions {
  /** A Node program; its environment has only `env`, INSTANCE_ID and PORT. */
  program: URL | string
  args?: string[]
  env?: Record<string, string>
  /** `message` for a program that calls `serveReplica`, or the path that answers 200: `/readyz`. */
  ready?: 'message' | `/${string}`
  /** How long to wait until ready: less than a test's own limit. */
  timeoutMs?: number
}

const { PATH, HOME, TMPDIR } = process.env
/** Compiled programs are cached over runs: a replica boots in half the time. */
const NODE_COMPILE_CACHE = fileURLToPath(
  new URL('../../node_modules/.cache/replicas', import.meta.url),
)

/** Starts `n` processes of one program and waits until all are ready; if one fails, none stays. */
export async function startReplicas(n: number, options: ReplicaOptions): Promise<Replica[]> {
  const ids = Array.from({ length: n }, (_, index) => `replica-${index + 1}`)
  const launched = await Promise.all(ids.map((id) => launch(id, options)))
  const replicas = launched.map(({ replica }) => replica)
  try {
    await Promise.all(launched.map(({ ready }) => ready))
  } catch (error) {
    await endReplicas(replicas)
    throw error
  }
  return replicas
}

export async function endReplicas(replicas: readonly Replica[]): Promise<void> {
  await Promise.all(replicas.map((replica) => replica.kill()))
}

async function launch(id: string, options: ReplicaOptions) {
  const { program, args = [], env = {}, ready = 'message', timeoutMs = 60_000 } = options
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const file = program instanceof URL ? fileURLToPath(program) : program
  const settings = { INSTANCE_ID: id, PORT: String(port), ...env }
  const child = spawn(process.execPath, [file, ...args], {
    env: { PATH, HOME, TMPDIR, NODE_COMPILE_CACHE, ...settings },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
  })
  await once(child, 'spawn')
  const calls = createCalls(id, child)
  const replica = createReplica(id, url, child, calls.call)
  const isReady = ready === 'message' ? calls.saidReady : () => answersOk(url + ready)
  return { replica, ready: untilReady(replica, isReady, timeoutMs) }
}

function createReplica(id: string, url: string, child: ChildProcess, call: Replica['call']) {
  const pid = child.pid ?? 0
  const guard = createGuard({ signal: 'SIGKILL' })
  guard.watch([pid])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  }
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      guard.release()
      resolve({ code, signal })
    })
  })

  return {
    id,
    pid,
    url,
    exited,
    call,
    kill(signal = 'SIGKILL') {
      child.kill(signal)
      return exited
    },
    async terminate() {
      child.kill('SIGTERM')
      return (await exited).code
    },
    stop: () => void child.kill('SIGSTOP'),
    continue: () => void child.kill('SIGCONT'),
    output: () => output,
    lines: () => output.split('\n').filter(Boolean),
  } satisfies Replica as Replica
}

async function untilReady(
  replica: Replica,
  isReady: () => boolean | Promise<boolean>,
  timeoutMs: number,
) {
  let exit: Exit | undefined
  void replica.exited.then((how) => (exit = how))
  try {
    await until(() => exit ?? isReady(), { timeoutMs })
  } catch (error) {
    const message = `${replica.id} is not ready after ${timeoutMs} ms:\n${replica.output()}`
    throw new Error(message, { cause: error })
  }
  if (!exit) return
  const how = inspect(exit)
  throw new Error(`${replica.id} exited before it was ready: ${how}\n${replica.output()}`)
}

async function answersOk(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(1_000) })
  await response.body?.cancel()
  return response.ok
}
