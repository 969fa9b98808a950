import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '@repo/embedded'
import type { Cluster } from './cluster.ts'
import { endWithProgram } from './ending.ts'

const ROOT = resolve(import.meta.dirname, '../../..')

export interface StandIn {
  id: string
  pid: number
  behave(behaviour: { status: number; delayMs: number }): Promise<void>
}

/** An edge and three gateways on the stores of the cluster, in front of three stand-ins for auth. */
export interface Chain {
  edge: string
  /** The pids of the edge and the gateways. */
  pids: number[]
  standIns: StandIn[]
  stop(): Promise<void>
}

export async function startChain(cluster: Cluster): Promise<Chain> {
  const children: ChildProcess[] = []
  const standIns = await Promise.all([1, 2, 3].map((n) => startStandIn(`stand-in-${n}`, children)))
  const [running] = cluster.instances('gateway')
  if (!running) throw new Error('the cluster has no gateway')
  const env = environmentOf(running.pid)
  const origins = standIns.map(({ origin }) => origin).join(',')
  async function startServer(program: string, settings: Record<string, string>, ready: string) {
    const port = await freePort()
    const child = spawn(process.execPath, [join(ROOT, program)], {
      stdio: 'ignore',
      env: { ...env, ...settings, PORT: String(port), EDGE_PORT: String(port) },
    })
    children.push(endWithProgram(child))
    const origin = `http://127.0.0.1:${port}`
    await untilReady(child, origin + ready)
    return { origin, pid: child.pid ?? 0 }
  }
  const gateways = await Promise.all(
    [7, 8, 9].map((n) =>
      startServer(
        'apps/gateway/src/main.ts',
        { INSTANCE_ID: `gateway-${n}`, INSTANCE_URL: '', AUTH_URLS: origins },
        '/readyz',
      ),
    ),
  )
  const urls = gateways.map(({ origin }) => origin).join(',')
  const edge = await startServer(
    'infra/local/src/edge.ts',
    { EDGE_HOST: '127.0.0.1', GATEWAY_URLS: urls, WEB_URLS: urls },
    '/.edge/readyz',
  )
  return {
    edge: edge.origin,
    pids: [edge.pid, ...gateways.map(({ pid }) => pid)],
    standIns,
    async stop() {
      const alive = children.filter((child) => child.exitCode === null)
      const ended = alive.map((child) => once(child, 'exit'))
      for (const child of alive) child.kill('SIGKILL')
      await Promise.all(ended)
    },
  }
}

/** Starts a service that responds with the status and the delay of `behave`; its process is added to the children. */
export async function startStandIn(id: string, children: ChildProcess[]) {
  const child = fork(join(import.meta.dirname, 'stand-in.ts'), {
    env: { ...process.env, INSTANCE_ID: id },
  })
  children.push(endWithProgram(child))
  const [origin] = await once(child, 'message')
  return {
    id,
    origin: String(origin),
    pid: child.pid ?? 0,
    async behave(behaviour: { status: number; delayMs: number }) {
      const changed = once(child, 'message')
      child.send(behaviour)
      await changed
    },
  }
}

/** The settings of a running instance, with its secrets (Linux). */
export function environmentOf(pid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean)
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}

export async function untilReady(child: ChildProcess, url: string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`a server ended before ${url} was ready`)
    const response = await fetch(url).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok) return
    await wait(50)
  }
}
