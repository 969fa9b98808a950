import { expect, test } from '@repo/testing'
import { Redis } from 'ioredis'
import { createLane } from './lane.ts'
import { addArgument } from './resp.ts'

function textOf(...args: string[]): string {
  const pieces = [`*${args.length}`]
  for (const arg of args) addArgument(pieces, arg)
  return `${pieces.join('')}\r\n`
}

function openLane(client: Redis, deadlineMs = 2_000) {
  const ends: string[] = []
  const lane = createLane(client, {
    deadlineMs,
    onAnswer: () => void ends.push('answer'),
    onFailure: ({ message }) => void ends.push(message),
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
  await client.ping()
  const { reply } = openLane(client)
  const numbers = Array.from({ length: 200 }, (_, i) => `ü${i}`)
  const replies = await Promise.all(
    numbers.map((n, i) => (i % 3 === 0 ? client.echo(n) : reply('ECHO', n))),
  )
  expect(replies.map(String)).toEqual(numbers)
  await client.quit()
})

test('an error of the server is a failure, and the next command is answered', async ({
  redisUrl,
}) => {
  const client = new Redis(redisUrl)
  await client.ping()
  const { reply, ends } = openLane(client)
  expect(await reply('EVALSHA', 'f'.repeat(40), '0')).toMatchObject({ name: 'ReplyError' })
  expect(await reply('ECHO', 'on')).toEqual(Buffer.from('on'))
  expect(ends).toEqual([expect.stringMatching('NOSCRIPT'), 'answer'])
  await client.quit()
})

test('a command without an answer fails once, and its late reply is not the one of the next', async ({
  redisUrl,
}) => {
  const client = new Redis(redisUrl)
  await client.ping()
  const { reply, ends } = openLane(client, 50)
  const blocked = reply('BLPOP', 'lane-test', '0.3')
  expect(await blocked).toMatchObject({ message: expect.stringMatching('did not answer') })
  await client.echo('the late reply was read before this one')
  expect(await reply('ECHO', 'next')).toEqual(Buffer.from('next'))
  expect(ends).toEqual([expect.stringMatching('did not answer'), 'answer'])
  await client.quit()
})

test('commands fail at once when the connection is closed, also those in flight', async ({
  redisUrl,
}) => {
  const client = new Redis(redisUrl, { retryStrategy: () => null })
  await client.ping()
  const { reply, ends } = openLane(client)
  const inFlight = reply('BLPOP', 'lane-test', '5')
  client.disconnect()
  expect(await inFlight).toBeInstanceOf(Error)
  expect(await reply('PING')).toMatchObject({ message: 'not connected to Redis' })
  expect(ends).toHaveLength(2)
})
