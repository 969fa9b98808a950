import { startValkey } from '@repo/embedded'
import { afterAll, beforeAll } from '@repo/testing'
import { openOnRedis } from '../redis/open.fixture.ts'
import { describeConformance } from './conformance.ts'

let url = ''
let stop = async () => undefined as unknown

beforeAll(async () => {
  const valkey = await startValkey()
  url = valkey.url
  stop = () => valkey.stop()
})

afterAll(() => stop())

describeConformance('Redis', () => openOnRedis(url), {
  claims: 'leases',
  isShared: true,
  canForget: true,
  hasTransactions: false,
})
