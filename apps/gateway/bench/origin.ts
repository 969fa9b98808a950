/** The origin of the bench, and the proxy core: `origin.ts` or `origin.ts core ORIGIN`. */
import { createServer } from 'node:http'
import { createProxy, createUpstream } from '@repo/proxy'

const BODY = JSON.stringify({ message: 'x'.repeat(500) })
const [role = '', origin = ''] = process.argv.slice(2)
const core = createProxy({
  upstream: createUpstream({ name: 'origin', targets: [role === 'core' ? origin : 'http://a'] }),
})

const server = createServer((req, res) => {
  if (role === 'core') return core(req, res)
  res.writeHead(200, ['Content-Type', 'application/json', 'Content-Length', `${BODY.length}`])
  res.end(BODY)
})
server.listen(Number(process.env['PORT']), '127.0.0.1')
