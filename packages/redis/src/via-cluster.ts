import net from 'node:net'
import tls from 'node:tls'
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis'
import { credentials, hostAndPort } from './address.ts'

/** Of a node that is asked for the owner, in ms: to be connected, and to answer. */
const ASK_MS = 500

interface Address {
  host: string
  port: number
}

/**
 * Asks the nodes (`host:port` each, beside the one of the URL) who owns the slot of a hash tag, at
 * each new connection: after a failover, or when the slot was moved, it is another one. Only that one
 * is spoken to, so ioredis's cluster client, which sends commands again by itself, is not needed.
 * @throws TypeError for a node without a host
 */
export function viaCluster(url: string, nodes: readonly string[], hashTag: string) {
  const access = credentials(url)
  const known = [new URL(url).host, ...nodes].map((node) => hostAndPort(node, 6_379))

  async function findOwner(): Promise<Address> {
    const errors: unknown[] = []
    for (const node of known.slice()) {
      // The next time it is asked last: a node that was cut off from the others tells what is over.
      known.push(...known.splice(known.indexOf(node), 1))
      try {
        return await askForOwner(node, hashTag, access)
      } catch (error) {
        errors.push(error)
      }
    }
    throw new AggregateError(errors, `no node of the cluster says who owns {${hashTag}}`)
  }

  class OwnerConnector extends AbstractConnector {
    async connect() {
      this.connecting = true
      const owner = await findOwner()
      if (!this.connecting) throw new Error('Connection is closed.')
      this.stream = access.tls ? tls.connect(owner) : net.connect(owner)
      this.stream.once('error', (error) => {
        this.firstError = error
      })
      return this.stream
    }
  }

  return {
    ...access,
    Connector: class extends OwnerConnector {
      constructor() {
        super(ASK_MS)
      }
    },
  } satisfies RedisOptions
}

async function askForOwner(
  node: Address,
  hashTag: string,
  access: ReturnType<typeof credentials>,
): Promise<Address> {
  const client = new Redis({
    ...node,
    ...access,
    lazyConnect: true,
    connectTimeout: ASK_MS,
    commandTimeout: ASK_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  // `connect` says it too, and why.
  client.on('error', () => undefined)
  try {
    await client.connect()
    const slot = await client.cluster('KEYSLOT', hashTag)
    const ranges: unknown = await client.call('CLUSTER', 'SLOTS')
    const range = Array.isArray(ranges) ? ranges.find(isRangeWith(slot)) : undefined
    if (!range) throw new Error(`nobody owns slot ${slot}`)
    const [host, port] = range[2]
    return { host: host || node.host, port }
  } finally {
    client.disconnect()
  }
}

/** The first of the nodes that serve a range is its primary. */
type SlotRange = [from: number, to: number, primary: [host: string | null, port: number]]

function isRangeWith(slot: number) {
  return (range: unknown): range is SlotRange =>
    Array.isArray(range) && range[0] <= slot && slot <= range[1] && Array.isArray(range[2])
}
