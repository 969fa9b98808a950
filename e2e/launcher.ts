import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { localOffset, services } from '@repo/services'

const ROOT = join(import.meta.dirname, '..')
const STATE = '.threefold/e2e-start'
export const PORT = 8280
/** The base of the instances' ports. */
const PORTS = 6_000
/** The first instance of each service. */
const INSTANCE_PORTS = services.map((service) => PORTS + localOffset(service) + 1)
/** Long enough for a start on a busy machine. */
export const START_WITHIN_MS = 240_000

/** Node warns when both this and NO_COLOR are set; Playwright sets it. */
const { FORCE_COLOR: _, ...inherited } = process.env
const environment = { ...inherited, THREEFOLD_STATE: STATE, NO_COLOR: '1' }

export interface Launcher {
  pid: number
  /** All output so far. */
  stdout(): string
  stderr(): string
  signal(name: NodeJS.Signals): void
  exited: Promise<number | null>
}

/** `pnpm start` for a cluster of one instance of each app, with separate data and ports. */
export function start(env: Record<string, string> = {}, args: string[] = []): Launcher {
  return run('infra/local/src/main.ts', [...OPTIONS, ...args], env)
}

/** The same command line with a runner in front, such as `npx pnpm exec`. */
export function startThrough(runner: string[]): Launcher {
  const [file = '', ...args] = runner
  return observe(file, [...args, 'node', 'infra/local/src/main.ts', ...OPTIONS], {})
}

/** `pnpm stop` for that cluster. */
export function stop(): Launcher {
  return run('infra/local/src/stop.ts', [], {})
}

const OPTIONS = ['--replicas', '1', '--port', String(PORT), '--ports', String(PORTS)]

function run(program: string, args: string[], env: Record<string, string>): Launcher {
  return observe('node', [join(ROOT, program), ...args], env)
}

function observe(file: string, args: string[], env: Record<string, string>): Launcher {
  const child = spawn(file, args, { cwd: ROOT, env: { ...environment, ...env } })
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  return {
    pid: child.pid ?? 0,
    stdout,
    stderr,
    signal: (name) => void child.kill(name),
    exited: new Promise((resolve) => child.once('close', (code) => resolve(code))),
  }
}

/** The processes of that cluster that still run, and its ports that still answer. */
export async function leftovers(): Promise<string[]> {
  const pattern = /e2e-start\/postgres|--ports 6000/
  const listening = await Promise.all([PORT, ...INSTANCE_PORTS].map(answers))
  return [
    ...(await commandLines()).filter((line) => pattern.test(line)),
    ...listening.flatMap((line) => line ?? []),
  ]
}

/** The command line of every process, from /proc where there is one. */
async function commandLines(): Promise<string[]> {
  if (process.platform === 'linux') {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(commandLine)
  }
  const ps = spawn('ps', ['-A', '-ww', '-o', 'args='])
  const stdout = collect(ps.stdout)
  await new Promise((resolve) => ps.once('close', resolve))
  return stdout().split('\n')
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return '' // The process has ended.
  }
}

async function answers(port: number): Promise<string | undefined> {
  const answer = await fetch(`http://localhost:${port}/livez`).catch(() => undefined)
  return answer && `a process answers on port ${port}`
}

function collect(stream: ChildProcess['stdout']): () => string {
  let text = ''
  stream?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return () => text
}
