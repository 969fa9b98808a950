import { Session } from 'node:inspector/promises'
import path from 'node:path'
import { serveReplica } from '@repo/testing/replica'
import { connectLimiterRedis, createRateLimiter } from './index.ts'

const PACKAGES = path.join(import.meta.dirname, '../..')
const SAMPLES = 60

/** The source files of this repository that a function was called in since the last call. */
async function calledFiles(session: Session): Promise<Set<string>> {
  const { result } = await session.post('Profiler.takePreciseCoverage')
  const called = result.filter(({ functions }) =>
    functions.some(({ ranges }) => (ranges[0]?.count ?? 0) > 0),
  )
  const names = called.map(({ url }) => path.relative(PACKAGES, url.replace(/^file:\/\//, '')))
  return new Set(names.filter((name) => /^[a-z-]+\/src\/(?!request-path)/.test(name)))
}

serveReplica({
  /** The files that each of several allowed takes calls, from `limiter.take` to the socket and back. */
  async filesOfOneTake(redisUrl: string): Promise<string[]> {
    const redis = connectLimiterRedis({ url: redisUrl, name: 'request-path' })
    await redis.ready()
    const dimensions = ['ip', 'user', 'client', 'route']
    const policies = dimensions.map((by) => ({ name: by, by, quota: 1_000, windowMs: 60_000 }))
    const limiter = createRateLimiter({ redis, policies })
    const subject = { ip: '203.0.113.7', user: 'ada', client: 'app', route: 'GET /' }
    const session = new Session()
    session.connect()
    await session.post('Profiler.enable')
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    let files: Set<string> | undefined
    for (let i = 0; i < SAMPLES; i += 1) {
      // The first takes connect timers and caches, which later takes find.
      await limiter.take(dimensions, subject)
      await calledFiles(session)
      await limiter.take(dimensions, subject)
      const called = await calledFiles(session)
      files = files?.intersection(called) ?? called
    }
    session.disconnect()
    await limiter.close()
    await redis.close()
    return [...(files ?? [])].toSorted()
  },
})
