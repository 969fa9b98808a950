import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, get } from 'node:https'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { createAuthority, expect, freePort, test, until } from '@repo/testing'
import { environment, signedIn } from './gateway.fixture.ts'

const program = fileURLToPath(new URL('main.ts', import.meta.url))

function read(url: string, ca: string, headers = {}): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const req = get(url, { ca, headers, agent: false }, (res) => {
      const { statusCode: status = 0 } = res
      text(res).then((body) => resolve({ status, body }), reject)
    })
    req.on('error', reject)
  })
}

test('a gateway serves https, and forwards to https upstreams of its authority, by settings only', async ({
  databaseUrl,
  redisUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl, 'admin')
  await using authority = await createAuthority()
  const files = await authority.write('gateway', await authority.issue('localhost'))
  const serve = async (name: string) => {
    const certificate = await authority.issue(name)
    const server = createServer(certificate, (req, res) => res.end(`{"by":"${req.url}"}`))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new TypeError('not listening on TCP')
    return { server, origin: `https://localhost:${address.port}` }
  }
  const [payments, auth] = [await serve('localhost'), await serve('other.example')]
  const port = await freePort()
  const child = spawn(process.execPath, [program], {
    env: {
      PATH: process.env['PATH'],
      ...environment({ databaseUrl, redisUrl, upstream: payments.origin }),
      AUTH_URLS: auth.origin,
      PORT: String(port),
      INSTANCE_ID: 'gateway-1',
      TLS_CERT_FILE: files.certFile,
      TLS_KEY_FILE: files.keyFile,
      UPSTREAM_CA_FILE: authority.caFile,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const url = `https://localhost:${port}`
    const isReady = () => read(`${url}/readyz`, authority.ca).then(({ status }) => status === 200)
    await until(() => isReady().catch(() => false))

    const headers = { cookie }
    expect(await read(`${url}/api/payments`, authority.ca, headers)).toEqual({
      status: 200,
      body: '{"by":"/api/payments"}',
    })
    // The registry has the https address of the instance.
    await until(async () =>
      (await read(`${url}/api/cluster`, authority.ca, headers)).body.includes(`"url":"${url}"`),
    )
    // The certificate of auth has another name.
    expect((await read(`${url}/api/auth/ok`, authority.ca)).status).toBe(503)
    await until(() => output.includes('altnames'))
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  } finally {
    child.kill('SIGKILL')
    for (const { server } of [payments, auth]) {
      server.closeAllConnections()
      server.close()
    }
  }
})
