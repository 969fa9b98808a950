import net, { isIP } from 'node:net'
import tls from 'node:tls'
import { setAwakeTimeout } from '@repo/concurrency'
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis'
import { RedisError } from '../errors.ts'
import { type Address, parseAddress, parseRedisUrl } from './address.ts'
import { tlsFor } from './tls.ts'

/** The time in which a node must be connected and name the owner, in ms of awake time. */
const LOOKUP_MS = 1_000

type Access = Pick<RedisOptions, 'username' | 'password' | 'tls'>

/** The owner of a slot. */
interface Owner extends Address {
  /** The queried node. Its host name is used when the owner announces none. */
  queriedHost: string
}

/**
 * Returns the options of a client that is connected to the owner of a hash tag's slot. Each new
 * connection queries the nodes for the owner, which changes after a failover or a move of the slot. The
 * cluster client of ioredis is not used, because it sends commands again.
 * @param nodes `host:port` of each node, in addition to the node of the URL
 * @throws RedisError `bad-option` for a malformed URL or node, and for a database other than 0
 */
export function viaCluster(url: string, nodes: readonly string[], hashTag: string) {
  const { host, port, tls: isSecure, username, password, database } = parseRedisUrl(url)
  if (database !== 0)
    throw new RedisError(
      'bad-option',
      'url must be without a database: a cluster has only database 0',
    )
  const candidates = [{ host, port }, ...nodes.map((node) => parseAddress(node, 6_379))]
  const secure = tlsFor(candidates.map((node) => node.host))
  const access: Access = {
    ...(username && { username }),
    ...(password && { password }),
    ...(isSecure && { tls: secure }),
  }

  async function findOwner(): Promise<Owner> {
    const errors: unknown[] = []
    for (const node of candidates.slice()) {
      // This node is queried last the next time: an isolated node reports an outdated owner.
      candidates.push(...candidates.splice(candidates.indexOf(node), 1))
      try {
        return await queryOwner(node, hashTag, access)
      } catch (error) {
        errors.push(error)
      }
    }
    throw new AggregateError(errors, `no node of the cluster reports the owner of {${hashTag}}`)
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

    /** ioredis connects again after a closed stream, but not after a connector that rejects. */
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

/** The server name with which a node that announces an address selects its certificate. */
function sni({ host, queriedHost }: Owner): { servername?: string } {
  return isIP(host) && !isIP(queriedHost) ? { servername: queriedHost } : {}
}

async function queryOwner(node: Address, hashTag: string, access: Access): Promise<Owner> {
  const client = new Redis({
    ...node,
    ...access,
    lazyConnect: true,
    connectTimeout: 0,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  // `connect` rejects with the reason.
  client.on('error', () => undefined)
  const cancel = setAwakeTimeout(() => {
    client.disconnect()
    client.stream?.destroy()
  }, LOOKUP_MS)
  try {
    await client.connect()
    const slot = await client.cluster('KEYSLOT', hashTag)
    const ranges: unknown = await client.call('CLUSTER', 'SLOTS')
    const range = Array.isArray(ranges) ? ranges.find(isRangeWith(slot)) : undefined
    if (!range) throw new Error(`no node owns slot ${slot}`)
    const [announced, port, , metadata] = range[2]
    return { host: hostOf(announced, metadata) ?? node.host, port, queriedHost: node.host }
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
 * Returns the host of a node. A node can announce null: the queried host is used then. It announces
 * `?` for a missing host name: its address is in the metadata then.
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
