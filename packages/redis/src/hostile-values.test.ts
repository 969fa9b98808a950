import { expect, findRawErrors, findRawErrorsOfOptions, test } from '@repo/testing'
import {
  checkEvictionPolicy,
  checkWrites,
  connectRedis,
  createAnswerLog,
  findUrlFault,
  isDefect,
  isNoDatabase,
  isPrefix,
  isRedisOutage,
  isSomebodyElses,
  keyspace,
  limitConnecting,
  openClient,
  parseAddresses,
  parseRedisUrl,
  RedisError,
  requireDatabase,
  runScript,
  script,
} from './index.ts'

const isCoded = (error: unknown) => error instanceof RedisError
const log = { info: () => undefined, warn: () => undefined }

async function open(url: string) {
  const redis = connectRedis({ url, name: 'hostile' })
  await redis.ready()
  return Object.assign(redis, { [Symbol.asyncDispose]: () => redis.close() })
}

test('a connection takes each hostile option, or refuses it by its name', async ({ redisUrl }) => {
  const valid = {
    url: redisUrl,
    name: 'hostile',
    deadlineMs: 250,
    log,
    prefix: 'p',
    legacyNames: true,
    sentinels: ['h:1'],
    sentinelUsername: 'u',
    sentinelPassword: 'p',
    sentinelTls: false,
  }
  const connect = async (options: typeof valid) => {
    const redis = connectRedis(options)
    redis.client.on('error', () => undefined)
    await redis.close()
  }
  expect(await findRawErrorsOfOptions(valid, connect, { isCoded })).toEqual([])
  const { sentinels: _, ...inCluster } = { ...valid, clusterNodes: ['127.0.0.1:1'] }
  const connectCluster = (options: typeof inCluster) =>
    connect({ ...options, sentinels: undefined! })
  expect(await findRawErrorsOfOptions(inCluster, connectCluster, { isCoded })).toEqual([])
  expect(await findRawErrors((options) => connect(options), { isCoded })).toEqual([])
})

test('each method of a connection ends with a result or a coded error', async ({ redisUrl }) => {
  await using redis = await open(redisUrl)
  // A command that never settles is late, and opens the breaker after three rounds.
  const except = ['a function that throws', 'a function that rejects']
  const methods = {
    call: (value: never) => redis.call(value),
    ready: (value: never) => redis.ready(value),
    keyspace: (value: never) => redis.keyspace(value)('part'),
    part: (value: never) => redis.keyspace('hostile')(value),
  }
  for (const [name, method] of Object.entries(methods)) {
    expect(await findRawErrors(method, { isCoded, except }), name).toEqual([])
  }
  await redis.call((client) => client.ping())
})

test('a script and its arguments are checked before anything is sent', async ({ redisUrl }) => {
  await using redis = await open(redisUrl)
  const { client } = redis
  const echo = script({ keys: 1, lua: 'return ARGV[1]' })
  const calls = {
    script: (value: never) => script(value),
    client: (value: never) => runScript(value, echo, ['k'], ['a']),
    declared: (value: never) => runScript(client, value, ['k'], ['a']),
    keyNames: (value: never) => runScript(client, echo, value, ['a']),
    key: (value: never) => runScript(client, echo, [value], ['a']),
    args: (value: never) => runScript(client, echo, ['k'], value),
    arg: (value: never) => runScript(client, echo, ['k'], [value]),
  }
  for (const [name, call] of Object.entries(calls)) {
    expect(await findRawErrors(call, { isCoded }), name).toEqual([])
  }
  const declaration = { keys: 1, lua: 'return 1' }
  expect(await findRawErrorsOfOptions(declaration, script, { isCoded })).toEqual([])
})

test('every other exported function ends with a result or a coded error', async ({ redisUrl }) => {
  const functions = {
    checkEvictionPolicy: (value: never) => checkEvictionPolicy(value),
    checkWrites: (value: never) => checkWrites(value),
    createAnswerLog: (value: never) => createAnswerLog(value)(new Error('an answer')),
    logAnswer: (value: never) => createAnswerLog(log)(value),
    findUrlFault,
    isDefect,
    isNoDatabase,
    isPrefix,
    isRedisOutage,
    isSomebodyElses,
    keyspace: (value: never) => keyspace('hostile', value)('part'),
    limitConnecting: (value: never) => limitConnecting(value),
    openClient: (value: never) => openClient(value, 'tag', {}).disconnect(),
    hashTag: (value: never) => openClient({ url: redisUrl }, value, {}).disconnect(),
    parseAddresses,
    parseRedisUrl,
    requireDatabase: (value: never) => requireDatabase(value),
  }
  for (const [name, call] of Object.entries(functions)) {
    expect(await findRawErrors(call, { isCoded }), name).toEqual([])
  }
})
