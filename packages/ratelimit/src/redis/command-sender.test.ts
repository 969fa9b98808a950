import { CallTimes, followRecovery } from '@repo/redis'
import { expect, test } from '@repo/testing'
import { Redis } from 'ioredis'
import { addArgument, createCommandSender } from './command-sender.ts'

function textOf(...args: string[]): string {
  const pieces = [`*${args.length}`]
  for (const arg of args) addArgument(pieces, arg)
  return `${pieces.join('')}\r\n`
}

function openSender(client: Redis, deadlineMs = 2_000) {
  const failures: string[] = []
  const { send } = createCommandSender(client, {
    deadlineMs,
    recovery: followRecovery(client),
    onErrorReply: ({ message }) => void failures.push(message),
    onLate: (rounds, reason) => void failures.push(`round ${rounds}: ${reason}`),
    onWritten: () => undefined,
    times: new CallTimes(),
  })
  const reply = (...args: string[]) =>
    new Promise((resolve) => {
      send(textOf(...args), false, { onReply: resolve, onError: resolve })
    })
  return { reply, failures }
}

test('each of 200 replies reaches the receiver of its command, between commands of ioredis', async ({
  redisUrl,
}) => {
  const client = new Redis(redisUrl)
  const { reply } = openSender(client)
  await client.ping()
  const numbers = Array.from({ length: 200 }, (_, i) => `ü${i}`)
  const replies = await Promise.all(
    numbers.map((n, i) => (i % 3 === 0 ? client.echo(n) : reply('ECHO', n))),
  )
  expect(replies.map(String)).toEqual(numbers)
  await client.quit()
})

test('after an error reply the next command receives its own reply', async ({ redisUrl }) => {
  const client = new Redis(redisUrl)
  const { reply, failures } = openSender(client)
  await client.ping()
  expect(await reply('EVALSHA', 'f'.repeat(40), '0')).toMatchObject({ name: 'ReplyError' })
  expect(await reply('ECHO', 'on')).toEqual(Buffer.from('on'))
  expect(await reply('EVAL', 'return redis.error_reply("OOM")', '0')).toMatchObject({
    message: 'ERR OOM',
  })
  // Without its script a call was not executed: it is no refusal of the server.
  expect(failures).toEqual(['ERR OOM'])
  await client.quit()
})

test('a command without a reply fails once, and its late reply does not reach the next command', async ({
  redisUrl,
}) => {
  const client = new Redis(redisUrl)
  const { reply, failures } = openSender(client, 50)
  await client.ping()
  const blocked = reply('BLPOP', 'sender-test', '0.3')
  expect(await blocked).toMatchObject({ message: 'no answer within 50 ms' })
  await client.echo('the late reply was read before this one')
  expect(await reply('ECHO', 'next')).toEqual(Buffer.from('next'))
  expect(failures).toEqual(['round 1: no answer within 50 ms'])
  await client.quit()
})

test('late rounds are counted from the last reply', async ({ redisUrl }) => {
  const client = new Redis(redisUrl)
  const { reply, failures } = openSender(client, 50)
  await client.ping()
  await reply('BLPOP', 'sender-test', '0.3')
  await reply('BLPOP', 'sender-test', '0.1')
  await client.echo('the late replies were read before this one')
  await reply('ECHO', 'a reply')
  await reply('BLPOP', 'sender-test', '0.3')
  expect(failures.map((failure) => failure.split(':')[0])).toEqual([
    'round 1',
    'round 2',
    'round 1',
  ])
  await client.quit()
})

test('R5: a command after the loss of a connection is written once, to the next connection', async ({
  redisUrl,
}) => {
  const client = new Redis(redisUrl, { retryStrategy: () => 0 })
  const { reply } = openSender(client)
  await client.ping()
  for (let i = 1; i <= 10; i += 1) {
    client.disconnect(true)
    expect(await reply('INCR', 'sender-test:count')).toBe(i)
  }
  await client.quit()
})

test('commands in flight and later ones fail when the connection is closed and not replaced', async ({
  redisUrl,
}) => {
  const client = new Redis(redisUrl, { retryStrategy: () => null })
  const { reply, failures } = openSender(client)
  await client.ping()
  const inFlight = reply('BLPOP', 'sender-test', '5')
  client.disconnect()
  expect(await inFlight).toBeInstanceOf(Error)
  expect(await reply('PING')).toMatchObject({ message: 'not connected to Redis' })
  expect(failures).toEqual([])
})
