/**
 * The instructions that redis-server executes for a check of one and of four dimensions, one by
 * one and in batches of 16, beside rate-limiter-flexible, counted by callgrind: the same on a busy
 * machine. Needs `valgrind` and a native Redis. `pnpm --filter @repo/ratelimit instructions`
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { findRedisServer, freePort } from '@repo/embedded'
import { connectLimiterRedis, createRateLimiter } from '../src/index.ts'
import { connectPeers } from './peers.ts'

const QUOTA = 16_000_000
/** Under callgrind all is fifty times slower: a longer window keeps a sub-window's share of hits. */
const WINDOW_MS = 3_000_000
const dimensions = ['ip', 'user', 'client', 'route'] as const
const names = dimensions.map((dimension) => `api-${dimension}`)
const policies = dimensions.map((by) => ({
  name: `api-${by}`,
  quota: QUOTA,
  windowMs: WINDOW_MS,
  by,
}))
const subjectOf = (i: number) => ({
  ip: `192.0.2.${i % 250}`,
  user: `user-${String(i % 1_000).padStart(27, '0')}`,
  client: `client-${i % 100}`,
  route: `GET /api/r${i % 10}`,
})

const CALLGRIND = 'valgrind'
const redisServer = (await findRedisServer()) ?? 'redis-server'

type Run = (url: string, checks: number) => Promise<void>

/** Our limiter, with `width` checks at a time. */
function ours(count: number, width: number): Run {
  const policyNames = names.slice(-count)
  return async (url, checks) => {
    const redis = connectLimiterRedis({ url, name: 'bench', deadlineMs: 60_000 })
    await redis.ready(30_000)
    const limiter = createRateLimiter({ redis, policies })
    for (let i = 0; i < checks; i += width) {
      const batch = Array.from({ length: width }, (_, j) =>
        limiter.take(policyNames, subjectOf(i + j)),
      )
      await Promise.all(batch)
    }
    await limiter.close()
    await redis.close()
  }
}

function flexible(count: number): Run {
  return async (url, checks) => {
    const connected = await connectPeers(url, QUOTA)
    const consume = connected.peers['rate-limiter-flexible']
    for (let i = 0; i < checks; i += 1) {
      const values = Object.values(subjectOf(i)).slice(-count)
      await Promise.all(values.map(async (value, d) => consume?.(names[d] ?? '', value)))
    }
    connected.close()
  }
}

async function instructions(run: Run, checks: number): Promise<number> {
  const port = await freePort()
  const callgrind = ['--tool=callgrind', '--callgrind-out-file=/dev/null', '--trace-children=yes']
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--hz', '1']
  const server = spawn(CALLGRIND, [...callgrind, redisServer, ...settings])
  let said = ''
  server.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const up = Promise.withResolvers<void>()
  server.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (text.includes('Ready to accept connections')) up.resolve()
  })
  await up.promise
  await run(`redis://127.0.0.1:${port}`, checks)
  server.kill('SIGTERM')
  await once(server, 'close')
  const collected = [...said.matchAll(/Collected : (\d+)/g)].map(([, n]) => Number(n))
  return Math.max(...collected)
}

/** The cost of additional checks: the start of the server does not count. */
async function perCheck(run: Run): Promise<number> {
  const few = await instructions(run, 1_600)
  return ((await instructions(run, 4_800)) - few) / 3_200
}

for (const count of [1, 4]) {
  const peer = await perCheck(flexible(count))
  const found = { 'one by one': ours(count, 1), 'batches of 16': ours(count, 16) }
  const lines: Record<string, object> = {
    'rate-limiter-flexible': { 'instructions per check': Math.round(peer) },
  }
  for (const [name, run] of Object.entries(found)) {
    const cost = await perCheck(run)
    lines[`ours, ${name}`] = {
      'instructions per check': Math.round(cost),
      'of rate-limiter-flexible': (cost / peer).toFixed(2),
    }
  }
  console.log(`${count} dimension${count > 1 ? 's' : ''}`)
  console.table(lines)
}
