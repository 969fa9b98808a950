/** A receiver of traces for the bench, in a process of its own: `accept` or `hang`. It prints its URL. */
import { createServer } from 'node:http'

const isHanging = process.argv[2] === 'hang'
const server = createServer((req, res) => {
  req.resume()
  req.on('end', () => {
    if (!isHanging) res.end('{}')
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') process.stdout.write(`http://127.0.0.1:${address?.port}\n`)
})
