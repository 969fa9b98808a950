/** The program of the example in the README: a code is redeemed once over all replicas. */
import { Redis } from 'ioredis'
import { serveReplica } from './replica/replica-program.ts'

const redis = new Redis(process.env['REDIS_URL'] ?? '')

serveReplica({
  redeem: async (code: string) => ((await redis.setnx(`redeemed:${code}`, '1')) ? 'won' : 'lost'),
})
