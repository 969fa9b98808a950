import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { createGuard } from './guard.ts'
import { processTree, signal } from './process-tree.ts'
import { serverEnvironment } from './server-environment.ts'

const PATIENCE_MS = 10_000

export interface ServerProcess {
  /** The pid of the running process, or of the last one. */
  readonly pid: number
  readonly running: boolean
  /** Resolves when the running process has ended; at once when none runs. */
  untilEnd(): Promise<void>
  /** Shuts the server down, with SIGKILL after 10 s, and deletes its temporary folder. */
  stop(): Promise<void>
  /** Ends the server with a signal, and waits for its end. SIGKILL also ends its children. */
  kill(name?: NodeJS.Signals): Promise<void>
  /** Stops the server and its children (SIGSTOP): connections stay open and receive no response. */
  pause(): Promise<void>
  resume(): void
  /** Starts a new process on the same port. */
  restart(): Promise<void>
}

interface ServerOptions {
  /** Creates the command line of each start. */
  command: () => Promise<readonly [file: string, ...args: string[]]>
  /** A part of the line of output with which the server reports that it accepts connections. */
  readyLine: string
  /** The signal for a shutdown. */
  stopSignal: NodeJS.Signals
  /** The signal for a fast end, when the starter has ended. */
  orphanSignal: NodeJS.Signals
  /** A folder that `stop` deletes. */
  temporaryDir?: string | undefined
  /** The pid of a process that must end before the server, once this process has ended. */
  endAfter?: number | undefined
  log?: ((line: string) => void) | undefined
}

/** Starts a server that can be killed, paused and restarted, and that ends with this process. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const { stopSignal, orphanSignal, temporaryDir, endAfter, log = () => undefined } = options
  const guard = createGuard({ signal: orphanSignal, remove: temporaryDir, after: endAfter })
  let child: ChildProcess | undefined
  let pid = 0
  let closed = Promise.resolve()
  let paused: number[] = []
  let stopped = false

  async function start() {
    const [file, ...args] = await options.command()
    if (stopped) throw new Error(`${file} was stopped before it started`)
    const started = spawn(file, args, {
      // A separate process group: Ctrl-C reaches this process, which ends its servers in order.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: serverEnvironment(),
    })
    if (started.pid !== undefined) {
      child = started
      pid = started.pid
      guard.watch([pid])
      closed = noteEnd(started)
    }
    await once(started, 'spawn') // Rejects when the program cannot be executed.
    await untilReady(started, options.readyLine, log)
  }

  async function noteEnd(started: ChildProcess) {
    // Not `exit`: the output closes when the last child that inherited it has ended.
    await once(started, 'close')
    child = undefined
    paused = []
    guard.watch([])
  }

  async function end(name: NodeJS.Signals) {
    if (!child) return
    // A server that receives another signal ends its children.
    const tree = name === 'SIGKILL' ? await processTree(pid).catch(() => [pid]) : [pid]
    signal(tree, name)
    await closed
  }

  async function endInOrder() {
    server.resume()
    const timer = setTimeout(() => void end('SIGKILL'), PATIENCE_MS)
    await end(stopSignal)
    clearTimeout(timer)
  }

  const server: ServerProcess = {
    get pid() {
      return pid
    },
    get running() {
      return child !== undefined
    },
    untilEnd: () => closed,
    kill: (name = 'SIGKILL') => end(name),
    async pause() {
      if (!child) return
      // The server is first: it cannot fork while its children are listed.
      signal([pid], 'SIGSTOP')
      paused = await processTree(pid)
      guard.watch(paused)
      signal(paused, 'SIGSTOP')
    },
    resume() {
      signal(paused, 'SIGCONT')
      paused = []
      if (child) guard.watch([pid])
    },
    async restart() {
      await endInOrder()
      await start()
    },
    async stop() {
      stopped = true
      await endInOrder()
      guard.release()
      if (temporaryDir) await rm(temporaryDir, { recursive: true, force: true })
    },
  }

  try {
    await start()
  } catch (error) {
    await server.stop()
    throw error
  }
  return server
}

async function untilReady(child: ChildProcess, readyLine: string, log: (line: string) => void) {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const first: string[] = []
  let ready = false
  for (const input of [child.stdout, child.stderr]) {
    if (!input) continue
    createInterface({ input }).on('line', (line) => {
      log(line)
      if (ready) return
      first.push(line)
      ready = line.includes(readyLine)
      if (ready) resolve()
    })
  }
  child.once('close', (code, name) => {
    const how = `${child.spawnfile} ended (${name ?? code}) before it was ready`
    reject(new Error([how, ...first].join('\n')))
  })
  await promise
}
