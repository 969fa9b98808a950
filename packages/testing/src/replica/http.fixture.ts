import { createServer } from 'node:http'

let probes = 0
const server = createServer((request, response) => {
  if (request.url === '/readyz') response.statusCode = (probes += 1) < 3 ? 503 : 200
  response.end(process.env.INSTANCE_ID)
})
server.listen(Number(process.env.PORT), '127.0.0.1')
process.once('SIGTERM', () => process.exit(7))
