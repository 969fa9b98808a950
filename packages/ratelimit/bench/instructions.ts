/**
 * How many instructions redis-server executes for a check of four dimensions, ours in batches of 16
 * beside rate-limiter-flexible, counted by callgrind: the same on a busy machine. Needs `valgrind` and
 * `redis-server`. `pnpm --filter @repo/ratelimit instructions`
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { freePort } from '@repo/local/free-port'
import { connectLimiterRedis, createRateLimiter } from '../src/index.ts'
import { connectPeers } from './peers.ts'

const QUOTA = 16_000_000
/** Under callgrind all is fifty times slower: a longer window keeps a sub-window's share of hits. */
const WINDOW_MS = 3_000_000
const dimensions = ['ip', 'user', 'client', 'route'] as const
const names = dimensions.map((it) => `api-${it}`)
const policies = dimensions.map((by) => ({
  ...{ name: `api-${by}`, quota: QUOTA, windowMs: WINDOW_MS, by },
}))
const of = (i: number) => ({
  ip: `192.0.2.${i % 250}`,
  user: `user-${String(i % 1_000).padStart(27, '0')}`,
  client: `client-${i % 100}`,
  route: `GET /api/r${i % 10}`,
})

const CALLGRIND = 'valgrind'

type Run = (url: string, checks: number) => Promise<void>

const ours: Run = async (url, checks) => {
  const redis = connectLimiterRedis({ url, name: 'bench', deadlineMs: 60_000 })
  await redis.ready(30_000)
  const limiter = createRateLimiter({ redis, policies })
  for (let i = 0; i < checks; i += 16) {
    await Promise.all(Array.from({ length: 16 }, (_, j) => limiter.take(names, of(i + j))))
  }
  await limiter.close()
  await redis.close()
}

const flexible: Run = async (url, checks) => {
  const connected = await connectPeers(url, QUOTA)
  const count = connected.peers['rate-limiter-flexible']
  for (let i = 0; i < checks; i += 1) {
    const values = Object.values(of(i))
    await Promise.all(values.map(async (value, d) => count?.(names[d] ?? '', value)))
  }
  connected.close()
}

async function instructions(run: Run, checks: number): Promise<number> {
  const port = await freePort()
  const callgrind = ['--tool=callgrind', '--callgrind-out-file=/dev/null', '--trace-children=yes']
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--hz', '1']
  const server = spawn(CALLGRIND, [...callgrind, 'redis-server', ...settings])
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

/** What more checks cost, so that the start of the server does not count. */
async function perCheck(run: Run): Promise<number> {
  const few = await instructions(run, 1_600)
  return ((await instructions(run, 4_800)) - few) / 3_200
}

const [a, b] = [await perCheck(ours), await perCheck(flexible)]
console.table({
  ours: { 'instructions per check': Math.round(a) },
  'rate-limiter-flexible': { 'instructions per check': Math.round(b) },
})
console.log(`ours / rate-limiter-flexible: ${(a / b).toFixed(2)}, target <= 0.65`)
