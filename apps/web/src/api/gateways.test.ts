import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { fetchFrom } from './gateways.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it does not listen')
  return originOf(address)
}

function originOf({ port }: AddressInfo) {
  return `http://127.0.0.1:${port}`
}

/** Where a server listened a moment ago. */
async function refusing(): Promise<string> {
  const origin = await serve((_req, res) => res.end())
  await new Promise((resolve) => servers.pop()?.close(resolve))
  return origin
}

test('each gateway is asked in turn', async () => {
  const asked = [0, 0, 0]
  const origins = await Promise.all(
    asked.map((_, i) =>
      serve((_req, res) => {
        asked[i] = (asked[i] ?? 0) + 1
        res.end()
      }),
    ),
  )
  for (let i = 0; i < 9; i += 1) await fetchFrom(origins, '/', {})
  expect(asked).toEqual([3, 3, 3])
})

test('a gateway that refuses connections is passed over, for a POST too', async () => {
  const alive = await serve((_req, res) => res.end('here'))
  const dead = await refusing()
  for (let i = 0; i < 4; i += 1) {
    const answer = await fetchFrom([dead, alive], '/', { method: 'POST', body: 'x' })
    expect(await answer.text()).toBe('here')
  }
})

test('of a POST that breaks off and a GET that does, only the GET is asked again', async () => {
  const seen: string[] = []
  const broken: RequestListener = (req) => {
    seen.push(req.method ?? '')
    req.socket.destroy()
  }
  const origins = await Promise.all([serve(broken), serve(broken)])
  await expect(fetchFrom(origins, '/', { method: 'POST', body: 'x' })).rejects.toThrow('fetch')
  expect(seen).toEqual(['POST'])
  await expect(fetchFrom(origins, '/', {})).rejects.toThrow('fetch')
  expect(seen).toEqual(['POST', 'GET', 'GET'])
})
