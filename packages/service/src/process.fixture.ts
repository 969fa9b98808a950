import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const program = new URL('app.fixture.ts', import.meta.url)

/** Settings with which the fixture app boots. */
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

/** Runs the fixture app, which is expected to end by itself. */
export function runToEnd(env: Record<string, string>, args: string[] = []): Promise<Ended> {
  const file = fileURLToPath(program)
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env['PATH'], ...env }, timeout: 20_000 }
    execFile(process.execPath, [file, ...args], options, (error, stdout, stderr) => {
      resolve({
        code: typeof error?.code === 'number' ? error.code : error ? -1 : 0,
        stdout,
        stderr,
      })
    })
  })
}
