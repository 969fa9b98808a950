import { freePort, type RedisServer, startRedisServer } from '@repo/embedded'
import { Redis } from 'ioredis'
import { until } from '../until.ts'

/** How soon nodes agree that one is dead, in ms. */
const NODE_TIMEOUT_MS = 1_000
const SLOTS = 16_384

export interface RedisCluster {
  /** Three primaries, each with a third of the slots. */
  primaries: RedisServer[]
  /** The replica of the primary whose slots include that of the hash tag. */
  replica: RedisServer
  /** The primary that owns the slot of the hash tag, and the two others. */
  owner: RedisServer
  others: RedisServer[]
  /** The hash tag's slot goes to another primary, with its keys. */
  moveSlot(to: RedisServer): Promise<void>
  stop(): Promise<void>
}

/** Starts a Redis Cluster of native servers on 127.0.0.1; the owner of a hash tag's slot has a replica. */
export async function startRedisCluster(command: string, hashTag: string): Promise<RedisCluster> {
  const nodes = await Promise.all(Array.from({ length: 4 }, () => startNode(command)))
  const [primaries, replica] = [nodes.slice(0, 3).map(({ server }) => server), nodes[3]!.server]
  await Promise.all(
    primaries.map(({ port }, i) =>
      ask(port, 'ADDSLOTSRANGE', ...range(i, primaries.length).map(String)),
    ),
  )
  for (const { server, busPort } of nodes.slice(1)) {
    await ask(primaries[0]!.port, 'MEET', '127.0.0.1', `${server.port}`, `${busPort}`)
  }
  const slot = Number(await ask(replica.port, 'KEYSLOT', hashTag))
  const owner = primaries[Math.floor((slot * primaries.length) / SLOTS)]!
  const others = primaries.filter((primary) => primary !== owner)
  const ownerId = String(await ask(owner.port, 'MYID'))
  await until(() => ask(replica.port, 'REPLICATE', ownerId))
  await until(async () => {
    const views = await Promise.all(nodes.map(({ server }) => seenBy(server)))
    return views.every((view) => view.isUp && view.nodes === nodes.length && view.replicas === 1)
  })
  return {
    primaries,
    replica,
    owner,
    others,
    async moveSlot(to) {
      await moveSlot(slot, owner, to, others)
    },
    async stop() {
      await Promise.all(nodes.map(({ server }) => server.stop()))
    },
  }
}

/** Starts a Redis Cluster of one native server, which refuses what uses two slots. */
export async function startRedisClusterNode(command: string): Promise<RedisServer> {
  const { server } = await startNode(command)
  await ask(server.port, 'ADDSLOTSRANGE', ...range(0, 1).map(String))
  await until(async () => (await seenBy(server)).isUp)
  const client = new Redis(server.port)
  const refusal = await client.mget('a', 'b').then(() => 'no error', String)
  client.disconnect()
  if (!refusal.includes('CROSSSLOT')) throw new Error(`two slots in one command give ${refusal}`)
  return server
}

async function startNode(command: string) {
  const busPort = await freePort()
  const server = await startRedisServer(command, [
    'cluster-enabled yes',
    `cluster-port ${busPort}`,
    `cluster-node-timeout ${NODE_TIMEOUT_MS}`,
  ])
  return { server, busPort }
}

function range(i: number, parts: number): [from: number, to: number] {
  return [Math.ceil((i * SLOTS) / parts), Math.ceil(((i + 1) * SLOTS) / parts) - 1]
}

async function moveSlot(slot: number, from: RedisServer, to: RedisServer, all: RedisServer[]) {
  const [fromId, toId] = [await ask(from.port, 'MYID'), await ask(to.port, 'MYID')].map(String)
  await ask(to.port, 'SETSLOT', `${slot}`, 'IMPORTING', fromId!)
  await ask(from.port, 'SETSLOT', `${slot}`, 'MIGRATING', toId!)
  const source = new Redis(from.port)
  for (;;) {
    const keys = await source.cluster('GETKEYSINSLOT', slot, 1_000)
    if (keys.length === 0) break
    await source.call('MIGRATE', '127.0.0.1', `${to.port}`, '', '0', '2000', 'KEYS', ...keys)
  }
  source.disconnect()
  for (const { port } of [to, from, ...all]) await ask(port, 'SETSLOT', `${slot}`, 'NODE', toId!)
}

async function seenBy({ port }: RedisServer) {
  const lines = String(await ask(port, 'NODES'))
    .trim()
    .split('\n')
  return {
    isUp: String(await ask(port, 'INFO')).includes('cluster_state:ok'),
    nodes: lines.length,
    replicas: lines.filter((line) => line.includes('slave')).length,
  }
}

async function ask(port: number, ...args: string[]): Promise<unknown> {
  const client = new Redis(port)
  try {
    return await client.call('CLUSTER', ...args)
  } finally {
    client.disconnect()
  }
}
