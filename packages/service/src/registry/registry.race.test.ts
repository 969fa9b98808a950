import type { RedisConnection } from '@repo/redis'
import { contend, expect, test } from '@repo/testing'
import { z } from 'zod'
import { join, type Member } from './registry.fixture.ts'
import { announce } from './scripts.ts'

const ROUNDS = Number(process.env.RACE_ROUNDS ?? 10)
const CONTENDERS = 20

type Through = (redis: RedisConnection) => RedisConnection

/** Results of `CONTENDERS` new instances with equal settings that are all announced at once. */
async function firstAnnouncements(redisUrl: string, through: Through = (redis) => redis) {
  const answers: string[][] = []
  const members = await Promise.all(
    Array.from({ length: CONTENDERS }, (_, index) =>
      join({ id: `a-${index}`, redisUrl, through: (redis) => record(through(redis), answers) }),
    ),
  )
  const { redis, registry }: Member = members[0]!
  await redis.client.flushall()
  const announced = await contend(CONTENDERS, (index) => members[index]!.registry.announce())
  const history = {
    failed: announced.filter(({ status }) => status === 'rejected').length,
    keys: new Set(answers.map(([key]) => key)).size,
    // The number of fingerprints in each reply that listed instances.
    fingerprintsListedAtOnce: new Set(answers.filter(({ length }) => length > 1).map(countHashes)),
    listedAtLast: (await registry.instances()).length,
  }
  await Promise.all(members.map((member) => member[Symbol.asyncDispose]()))
  return history
}

/** Records each reply of Redis: the fingerprint key, the replaced record, the digest, the list. */
function record(redis: RedisConnection, answers: string[][]): RedisConnection {
  return {
    ...redis,
    async call(command) {
      const answer = await redis.call(command)
      const texts = z.array(z.string()).safeParse(answer)
      if (texts.success) answers.push(texts.data)
      return answer
    },
  }
}

function countHashes([, , , ...listed]: string[]): number {
  const hashes = listed.map((text) => /"fingerprint":\{"MODE":"([\w-]+)"\}/.exec(text)?.[1])
  return new Set(hashes).size
}

/** The same script without the check that the hashes are made with the key of the cluster. */
function listsWhateverComes(redis: RedisConnection): RedisConnection {
  const lua = announce.lua.replace('if key ~= ARGV[4] then return { key } end', '')
  expect(lua).not.toBe(announce.lua)
  return {
    ...redis,
    call: (command) =>
      redis.call((client) => {
        function sendCommand(sent: Parameters<typeof client.sendCommand>[0]) {
          const [sha, ...rest] = sent.args.map(String)
          if (sha !== announce.sha) return client.sendCommand(sent)
          void client.call('eval', lua, ...rest).then(sent.resolve, sent.reject)
          return sent.promise
        }
        return command(Object.create(client, { sendCommand: { value: sendCommand } }))
      }),
  }
}

test(`${CONTENDERS} instances that are first announced at once end with one key and one fingerprint, in each of ${ROUNDS} rounds`, async ({
  redisUrl,
}) => {
  for (let round = 0; round < ROUNDS; round += 1) {
    expect(await firstAnnouncements(redisUrl)).toEqual({
      failed: 0,
      keys: 1,
      fingerprintsListedAtOnce: new Set([1]),
      listedAtLast: CONTENDERS,
    })
  }
})

test('the race of first announcements detects a script that lists hashes under any key', async ({
  redisUrl,
}) => {
  const history = await firstAnnouncements(redisUrl, listsWhateverComes)
  expect(Math.max(...history.fingerprintsListedAtOnce)).toBeGreaterThan(1)
})
