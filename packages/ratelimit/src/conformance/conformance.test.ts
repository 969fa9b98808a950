import { startValkey } from '@repo/embedded'
import { afterAll, beforeAll, expect, test } from '@repo/testing'
import { createMemoryRateLimiter } from '../memory/memory-rate-limiter.ts'
import { openOnRedis } from '../open.fixture.ts'
import { describeConformance } from './conformance.ts'

let url = ''
let stop = async () => undefined as unknown

beforeAll(async () => {
  const valkey = await startValkey()
  url = valkey.url
  stop = () => valkey.stop()
})

afterAll(() => stop())

describeConformance(
  'memory',
  async (policies) => {
    let nowMs = Date.now()
    const limiter = createMemoryRateLimiter({ policies, now: () => nowMs })
    return { limiter, advance: async (ms) => void (nowMs += ms) }
  },
  { isShared: false },
)

describeConformance('Redis', (policies) => openOnRedis(url, policies), { isShared: true })

test('the memory driver refuses to serve several instances', () => {
  expect(() => createMemoryRateLimiter({ policies: [], replicas: 3 })).toThrow(
    expect.objectContaining({ code: 'single-instance' }),
  )
})
