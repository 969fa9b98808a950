/** An instance whose behaviour the scenarios change: `{ status, delayMs }` over IPC. */
import { createServer } from 'node:http'

const CHUNK = Buffer.alloc(65_536, 'a')
const BIG_CHUNKS = 1_600
const TICK_MS = 1_000
const name = process.env['INSTANCE_ID'] ?? ''
let behaviour = { status: 200, delayMs: 0 }

const server = createServer((req, res) => {
  res.setHeader('X-Instance-Id', name)
  if (req.url === '/readyz') return void res.end('ready')
  if (req.url === '/api/auth/stream') {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' })
    const timer = setInterval(() => res.write('data: tick\n\n'), TICK_MS)
    res.on('close', () => clearInterval(timer))
    return
  }
  if (req.url === '/api/auth/big') {
    let left = BIG_CHUNKS
    res.writeHead(200, { 'Content-Length': BIG_CHUNKS * CHUNK.length })
    const write = () => {
      while (left > 0) {
        left -= 1
        if (!res.write(CHUNK)) return void res.once('drain', write)
      }
      res.end()
    }
    return write()
  }
  req.resume()
  const answer = () => {
    const body = '{"ok":true}'
    res.writeHead(behaviour.status, { 'Content-Type': 'application/json' }).end(body)
  }
  req.on('end', () => (behaviour.delayMs > 0 ? setTimeout(answer, behaviour.delayMs) : answer()))
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address && typeof address === 'object') process.send?.(`http://127.0.0.1:${address.port}`)
})
process.on('message', (change: typeof behaviour) => {
  behaviour = change
  process.send?.('changed')
})
process.on('disconnect', () => process.exit(0))
