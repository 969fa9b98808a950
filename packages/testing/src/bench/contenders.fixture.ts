/** Contenders of a test: one that counts in Redis, one that fails, and one that computes. */
import { Redis } from 'ioredis'
import { serveContenders } from './index.ts'

serveContenders({
  'count in Redis': ({ redisUrl }) => {
    const redis = new Redis(redisUrl)
    return {
      run: (i) => redis.multi().incr('operations').sadd('numbers', `${process.pid}:${i}`).exec(),
      close: () => redis.quit(),
    }
  },
  'count in turns': () => {
    let count = 0
    return {
      run: () => (count += 1),
      batch(n) {
        for (let i = 0; i < n; i += 1) count += 1
        return undefined
      },
    }
  },
  failing: () => ({
    run: async (i) => {
      if (i >= 100_000 || i === 20) throw Object.assign(new Error('no answer'), { code: 'broken' })
    },
  }),
})
