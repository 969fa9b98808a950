import { spawn } from 'node:child_process'
import { COMPOSE_DIR, COMPOSE_FILES } from './env.ts'

export interface Ran {
  code: number
  stdout: string
  stderr: string
}

/** Runs docker to its end, and returns its exit code and output. */
export function tryDocker(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const child = spawn('docker', args, {
    cwd: COMPOSE_DIR,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, stdout, stderr }))
  })
}

/** @throws Error with the last line that docker wrote, unless it exits 0 */
export async function docker(args: readonly string[], env?: Record<string, string>) {
  const { code, stdout, stderr } = await tryDocker(args, env)
  if (code !== 0) throw new Error(`docker ${args[0]}: ${lastLine(stderr) || `exit code ${code}`}`)
  return stdout
}

/** The arguments of `docker compose …` on this stack. */
export function compose(args: readonly string[], extraFiles: readonly string[] = []): string[] {
  const files = [...new Set([...COMPOSE_FILES, ...extraFiles])]
  return ['compose', ...files.flatMap((file) => ['-f', file]), ...args]
}

export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? ''
}
