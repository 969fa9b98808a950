import net, { isIP } from 'node:net'
import tls from 'node:tls'
import { setAwakeTimeout } from '@repo/concurrency'
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis'
import { RedisError } from '../errors.ts'
import { type Address, parseAddress, parseRedisUrl } from './address.ts'
import { tlsFor } from './tls.ts'

/** The time in which a node must be connected and name the owner, in ms of awake time. */
const ASK_MS = 1_000

type Access = Pick<RedisOptions, 'username' | 'password' | 'tls'>

/** The owner of a slot. */
interface Owner extends Address {
  /** The node that was asked, whose host name stands for the one that the owner does not announce. */
  askedHost: string
}

/**
 * Asks the nodes (`host:port` each, beside the one of the URL) who owns the slot of a hash tag, at
 * each new connection: after a failover, or when the slot was moved, it is another one. Only that one
 * is spoken to, so ioredis's cluster client, which sends commands again by itself, is not needed.
 * @throws RedisError `bad-option` for a malformed URL or node, and for a database, of which a cluster has one
 */
export function viaCluster(url: string, nodes: readonly string[], hashTag: string) {
  const { host, port, tls: isSecure, username, password, database } = parseRedisUrl(url)
  if (database !== 0)
    throw new RedisError(
      'bad-option',
      'url must be without a database: a cluster has only database 0',
    )
  const known = [{ host, port }, ...nodes.map((node) => parseAddress(node, 6_379))]
  const secure = tlsFor(known.map((node) => node.host))
  const access: Access = {
    ...(username && { username }),
    ...(password && { password }),
    ...(isSecure && { tls: secure }),
  }

  async function findOwner(): Promise<Owner> {
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
      const owner = await findOwner().catch((error: unknown) => this.failed(error))
      if (!owner || !this.connecting) return this.closedStream()
      this.stream = isSecure
        ? tls.connect({ ...owner, ...secure, ...sni(owner) })
        : net.connect(owner)
      this.stream.once('error', (error) => {
        this.firstError = error
      })
      return this.stream
    }

    private failed(error: unknown): undefined {
      this.firstError = error instanceof Error ? error : new Error(String(error))
    }

    /** ioredis connects again after a stream that is closed, and never after a connector that rejects. */
    private closedStream(): net.Socket {
      return new net.Socket().destroy()
    }
  }

  return {
    ...access,
    Connector: class extends OwnerConnector {
      constructor() {
        super(500)
      }
    },
  } satisfies RedisOptions
}

/** The name by which a node with an address chooses its certificate. */
function sni({ host, askedHost }: Owner): { servername?: string } {
  return isIP(host) && !isIP(askedHost) ? { servername: askedHost } : {}
}

async function askForOwner(node: Address, hashTag: string, access: Access): Promise<Owner> {
  const client = new Redis({
    ...node,
    ...access,
    lazyConnect: true,
    connectTimeout: 0,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  // `connect` says it too, and why.
  client.on('error', () => undefined)
  const cancel = setAwakeTimeout(() => {
    client.disconnect()
    client.stream?.destroy()
  }, ASK_MS)
  try {
    await client.connect()
    const slot = await client.cluster('KEYSLOT', hashTag)
    const ranges: unknown = await client.call('CLUSTER', 'SLOTS')
    const range = Array.isArray(ranges) ? ranges.find(isRangeWith(slot)) : undefined
    if (!range) throw new Error(`nobody owns slot ${slot}`)
    const [announced, port, , metadata] = range[2]
    return { host: hostOf(announced, metadata) ?? node.host, port, askedHost: node.host }
  } finally {
    cancel()
    client.disconnect()
  }
}

/** The first of the nodes that serve a range is its primary. */
type SlotRange = [
  from: number,
  to: number,
  primary: [host: string | null, port: number, id: string, metadata: unknown],
]

/**
 * Where a node is. It may announce nothing (null: the client uses the endpoint that it asked), or `?`
 * for a host name that it does not have; its address is then in the metadata.
 */
function hostOf(announced: string | null, metadata: unknown): string | undefined {
  if (announced && announced !== '?') return announced
  const pairs: unknown[] = Array.isArray(metadata) ? metadata : []
  const at = pairs.indexOf('ip')
  const ip = at < 0 ? undefined : pairs[at + 1]
  return typeof ip === 'string' && isIP(ip) ? ip : undefined
}

function isRangeWith(slot: number) {
  return (range: unknown): range is SlotRange =>
    Array.isArray(range) && range[0] <= slot && slot <= range[1] && Array.isArray(range[2])
}
