/**
 * CPU microseconds that a request costs the process that serves it: this proxy beside a bare
 * node:http answer, peers, and nginx if this machine has it. Rounds take turns, each ratio is of one
 * round, and the median of the rounds counts: `pnpm bench proxy [--rounds N] [--only TEXT]`. This
 * package is below `@repo/testing`, so it does not use the frame of the other benches.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { createProxy, createUpstream } from '../src/index.ts'
import { type Order, runLoad } from './load.ts'
import {
  findNginx,
  middlewareProxy,
  nodeClientProxy,
  startFastify,
  startNginx,
  startServer,
} from './peers.ts'

const { values } = parseArgs({
  strict: false,
  options: { rounds: { type: 'string' }, only: { type: 'string', multiple: true } },
})
// The smallest and the largest of at least 6 rounds enclose the median with 95 %.
const rounds = Number(values.rounds ?? 7)
const requestsPerRound = 6_000
const LOADS: { title: string; load: Order['load'] }[] = [
  { title: 'proxy, 32 connections, closed loop', load: { requests: requestsPerRound } },
  { title: 'proxy, 200/s, open loop', load: { rate: 200, ms: 2_000 } },
  { title: 'proxy, 1000/s, open loop', load: { rate: 1_000, ms: 1_000 } },
]
const subjects = [
  'node:http answer',
  'this proxy',
  'node:http client',
  '@fastify/http-proxy',
  'http-proxy-middleware',
] as const
type Subject = (typeof subjects)[number] | 'nginx'

/** A server whose CPU time can be read, in microseconds. */
interface Served {
  origin: string
  cpu: () => number | Promise<number>
}

const hello = JSON.stringify({ message: 'x'.repeat(500) })

function listenerOf(subject: string, origin: string): RequestListener {
  if (subject === 'this proxy') {
    return createProxy({ upstream: createUpstream({ name: 'origin', targets: [origin] }) })
  }
  if (subject === 'node:http client') return nodeClientProxy(origin)
  if (subject === 'http-proxy-middleware') return middlewareProxy(origin)
  return (_req, res) => {
    res.writeHead(200, ['Content-Type', 'application/json', 'Content-Length', `${hello.length}`])
    res.end(hello)
  }
}

/** A child serves and reports its CPU time, or it loads the origins that it receives. */
async function serveChild(subject: string, origin: string): Promise<void> {
  const isFastify = subject === '@fastify/http-proxy'
  const served = isFastify ? startFastify(origin) : startServer(listenerOf(subject, origin))
  process.send?.(await served)
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.(user + system)
  })
}

function loadChild(): void {
  process.send?.('ready')
  process.on('message', (order: Order) => {
    void runLoad(order).then((answered) => process.send?.(answered))
  })
}

async function send(child: ChildProcess, message: 'cpu' | Order): Promise<number> {
  child.send(message)
  return Number(await answerOf(child))
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const [message] = await once(child, 'message')
  return message
}

async function main(): Promise<void> {
  const children: ChildProcess[] = []
  async function start(...args: string[]) {
    const child = fork(import.meta.filename, args)
    children.push(child)
    return { child, origin: String(await answerOf(child)) }
  }
  const { origin } = await start('serve', 'origin', '')
  const loader = await start('load')
  const served = new Map<Subject, Served>()
  for (const subject of subjects) {
    const { child, origin: address } = await start('serve', subject, origin)
    served.set(subject, { origin: address, cpu: () => send(child, 'cpu') })
  }
  const binary = findNginx()
  if (binary) {
    const nginx = await startNginx(binary, origin)
    children.push(nginx.child)
    served.set('nginx', nginx)
  }
  console.log(`proxy: Node ${process.version}, ${availableParallelism()} cores\n`)

  for (const { title, load } of LOADS) {
    const { only } = values
    if (Array.isArray(only) && !only.some((part) => title.includes(String(part)))) continue
    const costs = new Map<Subject, number[]>([...served.keys()].map((subject) => [subject, []]))
    // The first round warms up the compiler.
    for (let round = 0; round <= rounds; round += 1) {
      for (const [subject, server] of served) {
        const before = await server.cpu()
        const answered = await send(loader.child, { origin: server.origin, load })
        const spent = (await server.cpu()) - before
        if (round > 0) costs.get(subject)?.push(spent / answered)
      }
    }
    console.log(`${tableOf(title, costs)}\n`)
  }
  for (const child of children) child.kill()
}

function tableOf(title: string, costs: Map<Subject, number[]>): string {
  const bare = costs.get('node:http answer') ?? []
  const rows = [...costs].map(([subject, all]) => {
    const ratios = sorted(all.map((cost, i) => cost / (bare[i] ?? Number.NaN)))
    const bounds = `${ratios.at(0)?.toFixed(2)} to ${ratios.at(-1)?.toFixed(2)}`
    const spread = sorted(all)
    const [low, middle, high] = [spread.at(0) ?? 0, median(spread), spread.at(-1) ?? 0]
    const percent = (Math.max(high - middle, middle - low) / middle) * 100
    const ratio = `${median(ratios).toFixed(2)}x (${bounds})`
    return `| ${subject} | ${middle.toFixed(1)} | ${ratio} | ${percent.toFixed(0)} % |`
  })
  return [
    `| ${title} | µs | ratio to a bare response | spread |`,
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

function sorted(numbers: number[]): number[] {
  return numbers.toSorted((a, b) => a - b)
}

function median(ascending: number[]): number {
  return ascending[ascending.length >> 1] ?? Number.NaN
}

const [role, subject = '', origin = ''] = process.argv.slice(2)
if (role === 'serve') await serveChild(subject, origin)
else if (role === 'load') loadChild()
else await main()
