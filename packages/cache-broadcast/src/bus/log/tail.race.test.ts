import { connectRedis } from '@repo/redis'
import { expect, test } from '@repo/testing'
import { toRegistration } from '../barrier/member.ts'
import { createBusErrors } from '../bus-errors.ts'
import { busKeys } from '../keys.ts'
import { createLease } from '../lease.ts'
import { createLegacyNews } from './publish.ts'
import { connectTail, createTail } from './tail.ts'

const member = 'a~2-1'
const maxStaleMs = 1_000
const registrationMs = 2 * maxStaleMs

test('a member that renews its registration reads the last number afterwards, so that no entry is between them', async ({
  redisUrl,
}) => {
  const redis = connectRedis({ url: redisUrl, name: 'a' })
  await redis.ready()
  const keys = busKeys('test', redis)
  const sent: string[] = []
  let atMs = 0
  let hasJoined = false
  const tail = createTail({
    connect() {
      const client = connectTail(redis.client, member)
      const send = client.sendCommand.bind(client)
      client.sendCommand = (command, stream) => {
        if (hasJoined) sent.push(command.name)
        return send(command, stream)
      }
      return client
    },
    keys,
    legacy: createLegacyNews(undefined, () => undefined),
    registration: toRegistration(member, maxStaleMs),
    answers: keys.answers(member),
    maxStaleMs,
    registrationMs,
    lease: createLease(),
    now: () => atMs,
    beatMs: () => 250,
    onEntry: () => undefined,
    onAnswer: () => undefined,
    onGap: () => undefined,
    acks: {
      takePosition: () => ({ n: 0, behind: '', wasBehind: false }),
      takeJoinPosition: () => ({ n: 0, behind: '', wasBehind: false }),
    },
    // The registration ends before the first turn.
    onJoin() {
      hasJoined = true
      atMs += registrationMs
    },
    errors: createBusErrors({ bus: 'test', log: undefined, now: () => atMs }),
  })
  try {
    await tail.first
    expect(sent.slice(0, 2)).toEqual(['evalsha', 'hmget'])
  } finally {
    await tail.close()
    await redis.close()
  }
})
