import { followRecovery } from '@repo/redis'
import { expect, test } from '@repo/testing'
import { Redis } from 'ioredis'
import { addArgument, createLane } from './command-sender.ts'

function textOf(...args: string[]): string {
  const pieces = [`*${args.length}`]
  for (const arg of args) addArgument(pieces, arg)
  return `${pieces.join('')}\r\n`
}

function openLane(client: Redis, deadlineMs = 2_000) {
  const ends: string[] = []
  const lane = createLane(client, {
    deadlineMs,
    recovery: followRecovery(client),
    onAnswer: () => void ends.push('answer'),
    onErrorAnswer: ({ message }) => void ends.push(message),
    onLate: (reason) => void ends.push(reason),
    onWritten: () => undefined,
  })
  const reply = (...args: string[]) =>
    new Promise((resolve) => {
      lane(textOf(...args), false, { answered: resolve, unanswered: resolve })
    })
  return { reply, ends }
}

test('replies reach the receivers of their own commands, between those of ioredis', async ({
  redisUrl,
}) => {
  const client = new Redis(redisUrl)
  const { reply } = openLane(client)
  await client.ping()
  const numbers = Array.from({ length: 200 }, (_, i) => `ü${i}`)
  const replies = await Promise.all(
    numbers.map((n, i) => (i % 3 === 0 ? client.echo(n) : reply('ECHO', n))),
  )
  expect(replies.map(String)).toEqual(numbers)
  await client.quit()
})

test('an error of the server is no answer, and the next command is answered', async ({
  redisUrl,
}) => {
  const client = new Redis(redisUrl)
  const { reply, ends } = openLane(client)
  await client.ping()
  expect(await reply('EVALSHA', 'f'.repeat(40), '0')).toMatchObject({ name: 'ReplyError' })
  expect(await reply('ECHO', 'on')).toEqual(Buffer.from('on'))
  expect(await reply('EVAL', 'return redis.error_reply("OOM")', '0')).toMatchObject({
    message: 'ERR OOM',
  })
  // Without its script a call has not run: it is sent again as a whole.
  expect(ends).toEqual(['answer', 'ERR OOM'])
  await client.quit()
})

test('a command without an answer fails once, and its late reply is not the one of the next', async ({
  redisUrl,
}) => {
  const client = new Redis(redisUrl)
  const { reply, ends } = openLane(client, 50)
  await client.ping()
  const blocked = reply('BLPOP', 'lane-test', '0.3')
  expect(await blocked).toMatchObject({ message: 'no answer within 50 ms' })
  await client.echo('the late reply was read before this one')
  expect(await reply('ECHO', 'next')).toEqual(Buffer.from('next'))
  expect(ends).toEqual(['no answer within 50 ms', 'answer'])
  await client.quit()
})

test('a call that finds the connection lost is written once, to the next connection', async ({
  redisUrl,
}) => {
  const client = new Redis(redisUrl, { retryStrategy: () => 0 })
  const { reply } = openLane(client)
  await client.ping()
  for (let i = 1; i <= 10; i += 1) {
    client.disconnect(true)
    expect(await reply('INCR', 'lane-test:count')).toBe(i)
  }
  await client.quit()
})

test('commands fail when the connection is closed and not replaced, also those in flight', async ({
  redisUrl,
}) => {
  const client = new Redis(redisUrl, { retryStrategy: () => null })
  const { reply, ends } = openLane(client)
  await client.ping()
  const inFlight = reply('BLPOP', 'lane-test', '5')
  client.disconnect()
  expect(await inFlight).toBeInstanceOf(Error)
  expect(await reply('PING')).toMatchObject({ message: 'not connected to Redis' })
  expect(ends).toEqual([])
})
