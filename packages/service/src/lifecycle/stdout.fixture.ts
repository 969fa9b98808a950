import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { freePort, until } from '@repo/testing'
import { ask } from '../http.fixture.ts'
import { program, settingsFor } from '../process.fixture.ts'

export interface Started extends AsyncDisposable {
  child: ChildProcess
  url: string
  /** Resolves with the exit code. */
  exited: Promise<number | null>
}

/** Starts the fixture app with the given stdout and stderr. */
export async function startWith(
  redisUrl: string,
  [stdout, stderr]: [stdout: 'pipe' | number, stderr: 'pipe' | number],
): Promise<Started> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const settings = { ...settingsFor(redisUrl), PORT: String(port), INSTANCE_ID: 'auth-1' }
  const stdio: StdioOptions = ['ignore', stdout, stderr, 'ipc']
  const env = { PATH: process.env['PATH'], ...settings }
  const child = spawn(process.execPath, [fileURLToPath(program)], { env, stdio })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  await until(async () => (await ask(`${url}/readyz`)).status === 200, { timeoutMs: 20_000 })
  return {
    child,
    url,
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** Sends requests, 25 at a time, whose log lines have at least `bytes`. Returns the statuses. */
export async function request(url: string, count: number, bytes: number): Promise<Set<number>> {
  const statuses = new Set<number>()
  for (let sent = 0; sent < count; sent += 25) {
    const batch = Array.from({ length: Math.min(25, count - sent) }, () =>
      ask(`${url}/hello/${'x'.repeat(bytes)}`, { signal: AbortSignal.timeout(10_000) }),
    )
    for (const { status } of await Promise.all(batch)) statuses.add(status)
  }
  return statuses
}

export async function metricOf(url: string, name: string): Promise<number> {
  const { body } = await ask(`${url}/metrics`)
  return Number(new RegExp(`^${name}\\{.*\\} (\\S+)$`, 'm').exec(body)?.[1])
}
