import { expect, test } from '@repo/testing'
import { Redis, ReplyError } from 'ioredis'
import { isRedisOutage, RedisError, toRedisError } from './errors.ts'

/** The texts of ioredis 6.0.0, of errors that no fault of the other tests brings about at will. */
const UNKNOWN_OUTCOMES = [
  'Command timed out',
  'Command aborted due to connection close',
  'Connection is closed.',
  'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.',
  'Protocol error, got "H" as reply type byte. Please report this.',
]

test.for(UNKNOWN_OUTCOMES)(
  'an error of ioredis after it wrote the command is a timeout: %s',
  (message) => {
    const cause = new Error(message)
    expect(toRedisError(cause)).toMatchObject({ name: 'RedisError', code: 'timeout', cause })
  },
)

test('an error of ioredis before it wrote the command is unavailable', async () => {
  const redis = new Redis({ lazyConnect: true, enableOfflineQueue: false, port: 1 })
  redis.on('error', () => undefined)
  const cause = await redis.incr('key').catch((error: unknown) => error)
  redis.disconnect()
  expect(toRedisError(cause)).toMatchObject({ code: 'unavailable', cause })
})

test('a connection that breaks within a batch is a timeout', async ({ redisUrl }) => {
  const redis = new Redis(redisUrl, {
    enableAutoPipelining: true,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: () => 10,
  })
  redis.on('error', () => undefined)
  await redis.ping()
  // The server closes the connection after the answer to the second command.
  const batch = [
    redis.incr('batch'),
    redis.call('CLIENT', 'KILL', 'ID', String(await redis.client('ID')), 'SKIPME', 'no'),
    redis.incr('batch'),
    redis.incr('batch'),
  ]
  const ends = await Promise.allSettled(batch)
  redis.disconnect()
  const reasons = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))
  expect(reasons).toHaveLength(2)
  for (const reason of reasons) {
    expect(reason).toMatchObject({ message: 'Command aborted due to connection close' })
    expect(toRedisError(reason)).toMatchObject({ code: 'timeout' })
  }
})

test.for([
  ['READONLY You can not write against a read only replica.', 'unavailable'],
  ['MOVED 42 127.0.0.1:7000', 'unavailable'],
  ['CLUSTERDOWN Hash slot not served', 'unavailable'],
  ['LOADING Redis is loading the dataset in memory', 'unavailable'],
  ['OOM command not allowed', 'rejected'],
  ['OOM command not allowed. script: 75092, on @user_script:1.', 'rejected'],
  ['NOREPLICAS Not enough good replicas to write.', 'rejected'],
  ['MISCONF Redis is configured to save RDB snapshots, but cannot persist', 'rejected'],
  ['NOAUTH Authentication required.', 'rejected'],
  ['NOPERM this user has no permissions to run the set command', 'rejected'],
  ["ERR The user executing the script can't run this command or subcommand", 'rejected'],
  ['ERR ACL failure in script: No permissions to access a channel', 'rejected'],
  ['BUSY Redis is busy running a script.', 'rejected'],
  ['ERR max number of clients reached', 'rejected'],
  ["ERR unknown command 'SPUBLISH'", 'rejected'],
  ['NEWSTATE of a server that does not exist yet', 'rejected'],
] as const)('a state of the server is an outage: %s', ([message, code]) => {
  const error = toRedisError(new ReplyError(message))
  expect(error).toMatchObject({ code })
  expect(isRedisOutage(error)).toBe(true)
})

test('a wrong command, script or argument is a defect, as a real server replies', async ({
  redisUrl,
}) => {
  const redis = new Redis(redisUrl)
  await redis.flushall()
  await redis.lpush('list', 'x')
  await redis.set('text', 'x')
  const wrong = [
    ['SET', 'key'],
    ['SET', 'key', '1', 'PQ', '1'],
    ['SET', 'key', '1', 'PX', '0'],
    ['GET', 'list'],
    ['INCR', 'text'],
    ['ZADD', 'zset', 'x', 'member'],
    ['XADD', 'stream', '0-0', 'a', 'b'],
    ['EVALSHA', '0'.repeat(40), '0'],
    ['EVAL', 'return 1', '5'],
    ['EVAL', 'return (', '0'],
    ['EVAL', 'return missing', '0'],
    ['EVAL', "error('x')", '0'],
    ['EVAL', "return redis.call('SET', 'key')", '0'],
    ['EVAL', "return redis.call('GET', 'list')", '0'],
    ['EVAL', "return redis.call('INCR', 'text')", '0'],
  ] as const
  for (const [command, ...args] of wrong) {
    const answer = await redis.call(command, ...args).catch((error: unknown) => error)
    expect(toRedisError(answer), `${command} ${args.join(' ')}`).toMatchObject({ code: 'defect' })
  }
  redis.disconnect()
})

test('an error that is not of ioredis is unchanged', () => {
  for (const error of [new TypeError('a bug'), new RedisError('timeout', 'late'), 'text']) {
    expect(toRedisError(error)).toBe(error)
  }
})
