/**
 * CPU microseconds a request costs the process that serves it: this proxy beside a bare node:http
 * answer and beside a proxy of node:http's own client. Short rounds take turns, so that a busy
 * machine disturbs all alike; the least of the rounds counts.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, createServer, request, type RequestListener } from 'node:http'
import { connect } from 'node:net'
import { createProxy, createUpstream } from '../src/index.ts'

const rounds = 8
const requestsPerRound = 6_000
const connections = 32
const subjects = ['node:http answer', 'this proxy', 'node:http client'] as const
type Subject = (typeof subjects)[number]

const hello = JSON.stringify({ message: 'x'.repeat(500) })

function listenerOf(subject: string, origin: string): RequestListener {
  if (subject === 'this proxy') {
    return createProxy({ upstream: createUpstream({ name: 'origin', targets: [origin] }) })
  }
  if (subject === 'node:http client') return nodeClientProxy(origin)
  return (_req, res) => {
    res.setHeader('Content-Type', 'application/json').setHeader('Content-Length', hello.length)
    res.end(hello)
  }
}

/** The least that a proxy of `http.request` does, and less than ours: no retries, no health. */
function nodeClientProxy(origin: string): RequestListener {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  return (req, res) => {
    const { method, url, headers } = req
    const options = { agent, headers, path: url, ...(method && { method }) }
    const upstream = request(origin, options, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      answer.pipe(res)
    })
    upstream.on('error', () => res.destroy())
    req.pipe(upstream)
  }
}

/** Keeps `connections` sockets busy until `requestsPerRound` answers have come. */
async function load(origin: string): Promise<void> {
  const { port } = new URL(origin)
  let left = requestsPerRound
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect(Number(port), '127.0.0.1')
      const ask = () => {
        if (left <= 0) return void socket.end()
        left -= 1
        socket.write(`GET / HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n`)
      }
      let read = ''
      socket.on('connect', ask).on('data', (chunk) => {
        read += chunk.toString('latin1')
        if (!read.endsWith('"}')) return
        read = ''
        ask()
      })
      await once(socket, 'close')
    }),
  )
}

/** What a child does: it serves and tells its CPU time, or it loads the origins it is sent. */
function serveChild(subject: string, origin: string): void {
  const server = createServer(listenerOf(subject, origin)).listen(0, '127.0.0.1', () => {
    const address = server.address()
    if (address && typeof address === 'object') process.send?.(`http://127.0.0.1:${address.port}`)
  })
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.(user + system)
  })
}

function loadChild(): void {
  process.send?.('ready')
  process.on('message', (target: string) => {
    void load(target).then(() => process.send?.('done'))
  })
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const [message] = await once(child, 'message')
  return message
}

async function tell(child: ChildProcess, message: string): Promise<unknown> {
  child.send(message)
  return answerOf(child)
}

async function main(): Promise<void> {
  const children: ChildProcess[] = []
  async function start(...args: string[]) {
    const child = fork(import.meta.filename, args)
    children.push(child)
    return { child, origin: String(await answerOf(child)) }
  }

  const { origin } = await start('serve', 'origin', '')
  const loader = await start('load')
  const costs = new Map<Subject, number[]>()
  const served = new Map<Subject, Awaited<ReturnType<typeof start>>>()
  for (const subject of subjects) served.set(subject, await start('serve', subject, origin))

  // The first round warms up the compiler.
  for (let round = 0; round <= rounds; round += 1) {
    for (const [subject, server] of served) {
      const before = Number(await tell(server.child, 'cpu'))
      await tell(loader.child, server.origin)
      const spent = Number(await tell(server.child, 'cpu')) - before
      const known = costs.get(subject) ?? []
      if (round > 0) costs.set(subject, [...known, spent / requestsPerRound])
    }
  }
  for (const child of children) child.kill()

  const least = (subject: Subject) => Math.min(...(costs.get(subject) ?? []))
  const median = (subject: Subject) =>
    (costs.get(subject) ?? []).toSorted((a, b) => a - b)[rounds / 2] ?? Number.NaN
  console.table(
    subjects.map((subject) => ({
      subject,
      'least µs': least(subject).toFixed(1),
      'median µs': median(subject).toFixed(1),
      'of a bare answer': (least(subject) / least('node:http answer')).toFixed(2),
    })),
  )
}

const [role, subject = '', origin = ''] = process.argv.slice(2)
if (role === 'serve') serveChild(subject, origin)
else if (role === 'load') loadChild()
else await main()
