/**
 * A check of a session cookie by each store that can answer it, beside Better Auth, express-session
 * with connect-redis, and iron-session: `pnpm bench session [--only TEXT]`. Targets are those of
 * docs/benchmarks.md.
 */
import { connectDatabase, migrateDatabase } from '@repo/database'
import { startPostgres } from '@repo/embedded'
import { connectRedis } from '@repo/redis'
import { estimate, openBench, target } from '@repo/testing/bench'
import { queriesSaved } from './ours.ts'

const SAVED_CHECKS = 100_000
const postgres = await startPostgres()
const { url } = postgres
await migrateDatabase({ url })
const bench = await openBench('session', new URL('instance.ts', import.meta.url))
const env = { DATABASE_URL: url }

const pairs = [
  { ours: 'second cookie', peer: 'Better Auth, cookie cache', us: 8, times: 15, inFlight: 64 },
  { ours: 'Redis', peer: 'express-session, connect-redis', us: 15, times: 1.1, inFlight: 64 },
  { ours: 'Redis', peer: 'Better Auth, Redis', us: 15, times: 7, inFlight: 20 },
  { ours: 'PostgreSQL', peer: 'Better Auth, PostgreSQL', us: 60, times: 8, inFlight: 20 },
]
await bench.closed({
  title: 'check',
  contenders: ['memory', 'iron-session'],
  peer: 'memory',
  inFlight: 64,
  env,
  targets: (found) => [target('memory, µs', found.figure('memory', 'clientUs'), '<=', 1)],
})
for (const { ours, peer, us, times, inFlight } of pairs) {
  await bench.closed({
    title: `check by ${ours}`,
    contenders: [ours, peer],
    peer: ours,
    inFlight,
    env,
    targets: (found) => [
      target(`${ours}, µs`, found.figure(ours, 'clientUs'), '<=', us),
      target(`${peer} / ${ours}`, found.ratio(peer, 'clientUs'), '>=', times),
    ],
  })
}
const peer = 'express-session, connect-redis'
await bench.open({ title: 'check by Redis', contenders: ['Redis', peer], peer, env })
await bench.highest({ title: 'check by Redis', contenders: ['Redis', peer], peer, env })

await bench.section('queries saved', async () => {
  const database = connectDatabase({ url, name: 'bench', poolSize: 20, deadlineMs: 20_000 })
  const redis = connectRedis({ url: bench.server.url, name: 'bench', deadlineMs: 5_000 })
  await redis.ready()
  const stores = { database, redis, redisUrl: bench.server.url, instance: 0 }
  const secret = 'a secret of at least thirty-two characters'
  const share = await queriesSaved({ ...stores, secret }, SAVED_CHECKS)
  await redis.close()
  await database.close()
  return [target('share of checks without a query', estimate([share]), '>=', 0.99)]
})
await bench.close()
await postgres.stop()
