import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
export const PORT = 8280

/** Node warns when both this and NO_COLOR are set; Playwright sets it. */
const { FORCE_COLOR: _, ...inherited } = process.env

export interface Launcher {
  pid: number
  /** What it wrote, so far. */
  stdout(): string
  stderr(): string
  signal(name: NodeJS.Signals): void
  exited: Promise<number | null>
}

/** `pnpm start` for a cluster of one instance of each app, with data and ports of its own. */
export function start(env: Record<string, string> = {}, args: string[] = []): Launcher {
  const main = join(ROOT, 'infra/local/src/main.ts')
  const options = ['--replicas', '1', '--port', String(PORT), '--ports', '6000', ...args]
  const child = spawn('node', [main, ...options], {
    cwd: ROOT,
    env: { ...inherited, THREEFOLD_STATE: '.threefold/e2e-start', NO_COLOR: '1', ...env },
  })
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

/** The processes of that cluster that still run, by their command lines. */
export async function leftovers(): Promise<string[]> {
  const ps = spawn('ps', ['-A', '-ww', '-o', 'args='])
  const stdout = collect(ps.stdout)
  await new Promise((resolve) => ps.once('close', resolve))
  const ours = /e2e-start\/postgres|--ports 6000/
  const listening = await Promise.all([PORT, 6101, 6201, 6301, 6401].map(answers))
  return [
    ...stdout()
      .split('\n')
      .filter((line) => ours.test(line)),
    ...listening.flatMap((line) => line ?? []),
  ]
}

async function answers(port: number): Promise<string | undefined> {
  const answer = await fetch(`http://localhost:${port}/livez`).catch(() => undefined)
  return answer && `something answers on port ${port}`
}

function collect(stream: ChildProcess['stdout']): () => string {
  let text = ''
  stream?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return () => text
}
