/**
 * A check of a session cookie, by each way in which it can be answered, beside Better Auth's
 * getSession, express-session with connect-redis, and iron-session: one run, short rounds that take
 * turns, CPU of this process, the least counts. `pnpm bench session`; REDIS_URL for a server of
 * your own.
 */
import { connectDatabase, migrateDatabase } from '@repo/database'
import { startPostgres } from '@repo/local/postgres'
import { startValkey } from '@repo/local/valkey'
import { connectRedis } from '@repo/redis'
import { leastCpu } from '@repo/testing/measure'
import { openOurs } from './ours.ts'
import { openPeers } from './peers.ts'

const secret = 'a secret of at least thirty-two characters'
const postgres = await startPostgres()
const valkey = process.env['REDIS_URL'] === undefined ? await startValkey() : undefined
const redisUrl = process.env['REDIS_URL'] ?? valkey?.url ?? ''
console.log(`Node ${process.version}, ${valkey?.kind ?? redisUrl}`)
await migrateDatabase({ url: postgres.url })
const database = connectDatabase({
  url: postgres.url,
  name: 'bench',
  poolSize: 20,
  deadlineMs: 20_000,
})
const redis = connectRedis({ url: redisUrl, name: 'bench', deadlineMs: 5_000 })
await redis.ready()
const ours = await openOurs({ database, redis, secret })
const peers = await openPeers({ database, redis, redisUrl, secret })

const costs = await leastCpu([...ours.subjects, ...peers.subjects], 6, ours.settle)
const at = (name: string) => costs.get(name) ?? Number.NaN
console.table([...costs].map(([check, us]) => ({ check, 'CPU µs': us.toFixed(2) })))

const targets: [what: string, target: number][] = [
  ['L0 memory', 1],
  ['L1 second cookie, never seen', 8],
  ['L2 Redis, never seen', 15],
  ['L3 PostgreSQL', 60],
]
console.table([
  ...targets.map(([what, target]) => ({
    what,
    measured: at(what).toFixed(2),
    target: `<= ${target}`,
    met: at(what) <= target ? 'yes' : 'NO',
  })),
  ...ratio('Better Auth, cookie cache', 'L1 second cookie, never seen', 15),
  ...ratio('Better Auth, Redis', 'L2 Redis, never seen', 7),
  ...ratio('Better Auth, PostgreSQL', 'L3 PostgreSQL', 8),
  ...ratio('express-session, connect-redis', 'L2 Redis, never seen', 3),
])

function ratio(peer: string, own: string, target: number) {
  const times = at(peer) / at(own)
  const met = times >= target ? 'yes' : 'NO'
  return [{ what: `${peer} / ${own}`, measured: times.toFixed(1), target: `>= ${target}`, met }]
}

const saved = await ours.saved()
console.log(
  `PostgreSQL queries saved, 300 000 checks on three cold instances: ${(saved * 100).toFixed(3)} %`,
)
await peers.close()
await ours.close()
await redis.close()
await database.close()
await valkey?.stop()
await postgres.stop()
