import path from 'node:path'
import { findRedisServer, startValkey } from '@repo/embedded'
import { Redis } from 'ioredis'

export interface BenchServer {
  readonly url: string
  /** For the head of the report: `redis-server 7.0.15`. */
  readonly kind: string
  /** CPU of the server since its start, in microseconds, user and system. */
  cpuUs(): Promise<number>
  flush(): Promise<void>
  stop(): Promise<void>
}

/**
 * The Redis of a bench: the server of REDIS_URL, or a new native server (REDIS_SERVER, or on the PATH).
 * Without either it is Valkey as WebAssembly, whose figures are not valid.
 */
export async function startBenchServer(): Promise<BenchServer> {
  const given = process.env['REDIS_URL']
  const command = await findRedisServer()
  if (command?.includes('/')) {
    process.env['PATH'] = `${path.dirname(path.resolve(command))}:${process.env['PATH']}`
  }
  const started = given === undefined ? await startValkey() : undefined
  const url = given ?? started?.url ?? ''
  const redis = new Redis(url)
  const info = async (section: string, field: string) =>
    new RegExp(`^${field}:(\\S+)`, 'm').exec(await redis.info(section))?.[1] ?? ''
  const version = await info('server', 'redis_version')
  return {
    url,
    kind: `${started?.kind ?? 'server of REDIS_URL'} ${version}`,
    async cpuUs() {
      const cpu = await redis.info('cpu')
      const seconds = ['used_cpu_user', 'used_cpu_sys'].map((field) =>
        Number(new RegExp(`^${field}:([\\d.]+)`, 'm').exec(cpu)?.[1] ?? Number.NaN),
      )
      return seconds.reduce((all, one) => all + one, 0) * 1e6
    },
    async flush() {
      await redis.flushall()
    },
    async stop() {
      redis.disconnect()
      await started?.stop()
    },
  }
}
