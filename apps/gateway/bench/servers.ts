import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort, startPostgres } from '@repo/embedded'
import { environment, signedIn } from '../src/gateway.fixture.ts'

const GATEWAY = join(import.meta.dirname, '../src/main.ts')
const EDGE = join(import.meta.dirname, '../../../infra/local/src/edge.ts')
const ORIGIN = join(import.meta.dirname, 'origin.ts')
const QUOTA = 16_000_000

export interface Served {
  name: string
  origin: string
  headers: string[]
  /** The CPU time of all processes between the client and the origin, in microseconds. */
  cpuUs(): number
}

/** Four dimensions. No policy has a lease, so each request is a call of Redis. */
const limits = {
  policies: [
    { name: 'ip', quota: QUOTA, windowMs: 60_000, by: 'ip' },
    { name: 'user', quota: QUOTA, windowMs: 60_000, by: 'user' },
    { name: 'client', quota: QUOTA, windowMs: 60_000, by: 'client' },
    { name: 'route', quota: QUOTA, windowMs: 60_000, by: ['route', 'ip'] },
  ],
  routes: [{ path: '/api', policies: ['ip', 'user', 'client', 'route'] }],
}

/** Starts every subject in front of one origin, each in separate processes. */
export async function startServers(redisUrl: string) {
  const folder = mkdtempSync(join(tmpdir(), 'threefold-bench-'))
  const postgres = await startPostgres()
  const children: ChildProcess[] = []
  process.once('exit', () => children.forEach((child) => child.kill('SIGKILL')))

  async function start(args: string[], settings: Record<string, string>, ready = '/') {
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const env = { PATH: process.env['PATH'] ?? '', ...settings, PORT: String(port) }
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'], env })
    children.push(child)
    await untilReady(child, origin + ready)
    return { origin, pid: child.pid ?? 0 }
  }

  const { cookie } = await signedIn(postgres.url)
  const origin = await start([ORIGIN], {})
  const core = await start([ORIGIN, 'core', origin.origin], {})
  const limitsFile = join(folder, 'limits.json')
  writeFileSync(limitsFile, JSON.stringify(limits))
  const given = { databaseUrl: postgres.url, redisUrl, upstream: origin.origin }
  // As after a rolling change: then version 1 of an identity is not sent.
  const settings = { ...environment(given), INSTANCE_ID: 'gateway-1', IDENTITY_VERSION_1: 'refuse' }
  const gateway = await start([GATEWAY], { ...settings, LIMITS_FILE: limitsFile }, '/readyz')
  const edge = await start(
    [EDGE],
    { EDGE_HOST: '127.0.0.1', GATEWAY_URLS: gateway.origin, WEB_URLS: origin.origin },
    '/.edge/readyz',
  )
  const nginx = await startNginx(folder, origin.origin, children)
  const headers = ['Accept: */*', 'User-Agent: bench', `Cookie: ${cookie}`]
  const subject = (name: string, at: string, pids: number[]): Served => ({
    name,
    origin: at,
    headers,
    cpuUs: () => pids.reduce((sum, pid) => sum + cpuUs(pid), 0),
  })
  return {
    hasNginx: nginx !== undefined,
    subjects: [
      ...(nginx ? [subject('nginx', nginx.origin, [nginx.pid])] : []),
      subject('core', core.origin, [core.pid]),
      subject('gateway', gateway.origin, [gateway.pid]),
      subject('edge and gateway', edge.origin, [edge.pid, gateway.pid]),
    ],
    async [Symbol.asyncDispose]() {
      const running = children.filter((child) => child.exitCode === null)
      const ended = running.map((child) => once(child, 'exit'))
      for (const child of running) child.kill('SIGKILL')
      await Promise.all(ended)
      await postgres.stop()
      rmSync(folder, { recursive: true })
    },
  }
}

/** The CPU time of all threads (Linux). */
function cpuUs(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    const [ns] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
    return sum + Number(ns) / 1_000
  }, 0)
}

/** nginx with one process and keep-alive connections to the origin, if it is installed. */
async function startNginx(folder: string, origin: string, children: ChildProcess[]) {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  const binary = folders.map((each) => join(each, 'nginx')).find((file) => existsSync(file))
  if (!binary) return undefined
  const port = await freePort()
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, nginxConfiguration(folder, port, new URL(origin).host))
  const child = spawn(binary, ['-p', folder, '-c', file], { stdio: 'ignore' })
  children.push(child)
  await untilReady(child, `http://127.0.0.1:${port}/`)
  return { origin: `http://127.0.0.1:${port}`, pid: child.pid ?? 0 }
}

function nginxConfiguration(folder: string, port: number, host: string): string {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log /dev/null;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000;
  ${paths.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
  upstream origin { server ${host}; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://origin; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
`
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server of ${url} ended before it was ready`)
    const response = await fetch(url).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok) return
    await wait(50)
  }
}
