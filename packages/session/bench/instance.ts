/**
 * The instance processes of the bench: a check of a session cookie by each store that can answer it,
 * and peers. PostgreSQL is the one that DATABASE_URL names, already migrated.
 */
import { connectDatabase } from '@repo/database'
import { connectRedis } from '@repo/redis'
import { type Contender, type InstanceContext, serveContenders } from '@repo/testing/bench'
import { type Answer, openOurs } from './ours.ts'
import { openPeer, PEERS } from './peers.ts'

const SECRET = 'a secret of at least thirty-two characters'

async function openStores({ redisUrl, instance }: InstanceContext) {
  const url = process.env['DATABASE_URL'] ?? ''
  const name = `bench-${instance}`
  const database = connectDatabase({ url, name, poolSize: 20, deadlineMs: 20_000 })
  const redis = connectRedis({ url: redisUrl, name, deadlineMs: 5_000 })
  await redis.ready(30_000)
  async function close() {
    await redis.close()
    await database.close()
  }
  return { stores: { database, redis, redisUrl, secret: SECRET, instance }, close }
}

const ours = (answer: Answer) => async (context: InstanceContext) => {
  const { stores, close } = await openStores(context)
  const contender = await openOurs(stores, answer)
  return closing(contender, close)
}

function closing(contender: Contender, close: () => Promise<void>): Contender {
  return {
    ...contender,
    async close() {
      await contender.close?.()
      await close()
    },
  }
}

serveContenders({
  memory: ours('memo'),
  'second cookie': ours('cookie'),
  Redis: ours('redis'),
  PostgreSQL: ours('database'),
  ...Object.fromEntries(
    PEERS.map((name) => [
      name,
      async (context: InstanceContext) => {
        const { stores, close } = await openStores(context)
        return closing(await openPeer(name, stores), close)
      },
    ]),
  ),
})
