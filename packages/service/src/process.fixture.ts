import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

export const program = new URL('app.fixture.ts', import.meta.url)

/** The settings of the fixture app. */
export function settingsFor(redisUrl: string) {
  return {
    HOST: '127.0.0.1',
    REDIS_URL: redisUrl,
    ORIGIN: 'http://localhost:8080',
    SECRET: 'k7Jx2mQ9vR4tY8wZ1aB5cD3eF6gH0iL-',
    APP_VERSION: '1.2.3',
    DRAIN_MS: '300',
  }
}

export interface Ended {
  code: number
  stdout: string
  stderr: string
}

/** Runs the fixture app until it exits. */
export async function runToEnd(
  env: Record<string, string>,
  args: string[] = [],
  stderr: 'pipe' | number = 'pipe',
): Promise<Ended> {
  const child = spawn(process.execPath, [fileURLToPath(program), ...args], {
    env: { PATH: process.env['PATH'], ...env },
    timeout: 20_000,
    stdio: ['ignore', 'pipe', stderr],
  })
  const [[code], stdout, stderrText] = await Promise.all([
    once(child, 'close'),
    child.stdout ? text(child.stdout) : '',
    child.stderr ? text(child.stderr) : '',
  ])
  return { code: code ?? -1, stdout, stderr: stderrText }
}
