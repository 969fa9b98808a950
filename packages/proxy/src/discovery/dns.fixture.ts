import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'

/** A DNS server on UDP for one name, whose answer a test changes. */
export interface DnsServer extends AsyncDisposable {
  /** The IPv4 addresses of every name, or `error` for SERVFAIL. */
  answer: readonly string[] | 'error'
  /** The number of answers. */
  answers: number
  lookup: (name: string) => Promise<string[]>
}

const headerBytes = 12

/** Builds the answer to a query with one question (RFC 1035 4.1). */
function answerTo(query: Buffer, answer: DnsServer['answer']): Buffer {
  const addresses = answer === 'error' ? [] : answer
  const header = Buffer.alloc(headerBytes)
  query.copy(header, 0, 0, 2)
  // A recursive response; code 2 is SERVFAIL.
  header.writeUInt16BE(answer === 'error' ? 0x8182 : 0x8180, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(addresses.length, 6)
  const end = query.indexOf(0, headerBytes) + 5
  const records = addresses.map((address) => {
    // The name of the question, type A, class IN, a TTL of 1 s, 4 bytes.
    const head = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4])
    return Buffer.concat([head, Buffer.from(address.split('.').map(Number))])
  })
  return Buffer.concat([header, query.subarray(headerBytes, end), ...records])
}

export async function startDnsServer(answer: readonly string[]): Promise<DnsServer> {
  const socket = createSocket('udp4')
  const resolver = new Resolver({ timeout: 500, tries: 1 })
  const server: DnsServer = {
    answer,
    answers: 0,
    lookup: (name) => resolver.resolve4(name),
    async [Symbol.asyncDispose]() {
      resolver.cancel()
      await new Promise<void>((resolve) => socket.close(resolve))
    },
  }
  socket.on('message', (query, { port, address }) => {
    socket.send(answerTo(query, server.answer), port, address)
    server.answers += 1
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  resolver.setServers([`127.0.0.1:${socket.address().port}`])
  return server
}
