import { sendScript } from '@repo/redis'
import { expect, test } from '@repo/testing'
import { Redis } from 'ioredis'
import { toRegistration } from '../barrier/member.ts'
import { busKeys } from '../keys.ts'
import { join } from './member-scripts.ts'

const { meta, log, members, news } = busKeys('test')
const base = meta.slice(0, -'meta'.length)
const registration = toRegistration('c~2-1', 1_000)

test('a member that missed entries answers for them separately, also if its registration has ended', async ({
  ownValkey,
}) => {
  const admin = new Redis(ownValkey.url)
  try {
    await admin.hset(meta, { n: '1700000000000020', born: '1' })
    await admin.xadd(log, '1700000000000020-0', 'd', 'the entries before it are trimmed')
    await admin.zadd(`${base}tally`, '1700000000000020', '+1000:b~2-1')
    await admin.hset(`${base}behind`, registration, '1700000000000007:9999999999999')
    const position = ['1700000000000009', 'a digest', '0', '']
    const names = [meta, log, members, news]
    const reply = await sendScript(admin, join, names, [registration, 2_000, ...position])
    expect(reply).toEqual(expect.arrayContaining(['gap', '1700000000000020']))
    expect(await admin.hget(`${base}behind`, registration)).toBe('1700000000000007')
  } finally {
    admin.disconnect()
  }
})
