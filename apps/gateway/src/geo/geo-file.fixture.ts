import { parseRange } from '../upstreams/client-ip.ts'

type Value = string | number | bigint | Value[] | { [name: string]: Value }

/** The control byte of a field: its type, and a size below 29. */
function field(type: number, size: number, content: Buffer): Buffer {
  const control = type < 8 ? [(type << 5) | size] : [size, type - 7]
  return Buffer.concat([Buffer.from(control), content])
}

/** Encodes data as in the MaxMind DB format 2.0. */
function encode(value: Value): Buffer {
  if (typeof value === 'string') {
    const text = Buffer.from(value)
    return field(2, text.length, text)
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    return field(6, 4, bytes)
  }
  if (typeof value === 'bigint') {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(value)
    return field(9, 8, bytes)
  }
  if (Array.isArray(value)) return field(11, value.length, Buffer.concat(value.map(encode)))
  const pairs = Object.entries(value)
  return field(
    7,
    pairs.length,
    Buffer.concat(pairs.flatMap(([name, each]) => [encode(name), encode(each)])),
  )
}

type Node = [left: Node | number | undefined, right: Node | number | undefined]

function bitsOf(network: string): number[] {
  const range = parseRange(network)
  if (!range) throw new TypeError(`${network} is no network`)
  const isIpv4 = range.network.kind() === 'ipv4'
  // An IPv6 tree has IPv4 in its first 32 of the last bits.
  const bytes = [...Array<number>(isIpv4 ? 12 : 0).fill(0), ...range.network.toByteArray()]
  const length = isIpv4 ? range.bits + 96 : range.bits
  return Array.from({ length }, (_, i) => ((bytes[i >> 3] ?? 0) >> (7 - (i & 7))) & 1)
}

/**
 * A database of countries in the MaxMind DB format, with an IPv6 tree and records of 24 bits.
 * @param networks countries by network in CIDR notation; no network is in another one
 */
export function geoDatabase(
  networks: Readonly<Record<string, string>>,
  databaseType = 'Test-Country',
): Buffer {
  const root: Node = [undefined, undefined]
  const data: Buffer[] = []
  let dataLength = 0
  for (const [network, country] of Object.entries(networks)) {
    const bits = bitsOf(network)
    let node = root
    for (const [i, bit] of bits.entries()) {
      if (i === bits.length - 1) {
        node[bit] = dataLength
        break
      }
      const next = node[bit]
      const child: Node = Array.isArray(next) ? next : [undefined, undefined]
      node[bit] = child
      node = child
    }
    const record = encode({ country: { iso_code: country, names: { en: country } } })
    data.push(record)
    dataLength += record.length
  }
  const nodes: Node[] = [root]
  for (const node of nodes) for (const child of node) if (Array.isArray(child)) nodes.push(child)
  const numbers = new Map(nodes.map((node, i) => [node, i]))
  const tree = Buffer.alloc(nodes.length * 6)
  for (const [i, node] of nodes.entries()) {
    for (const [side, child] of node.entries()) {
      const value = Array.isArray(child)
        ? (numbers.get(child) ?? 0)
        : child === undefined
          ? nodes.length
          : nodes.length + 16 + child
      tree.writeUIntBE(value, i * 6 + side * 3, 3)
    }
  }
  const metadata = encode({
    node_count: nodes.length,
    record_size: 24,
    ip_version: 6,
    database_type: databaseType,
    languages: ['en'],
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_790_000_000n,
    description: { en: 'a database for tests' },
  })
  const marker = Buffer.from('abcdef4d61784d696e642e636f6d', 'hex')
  return Buffer.concat([tree, Buffer.alloc(16), ...data, marker, metadata])
}
