import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, vi } from 'vitest'
import { test } from '../servers.fixture.ts'
import { discardRest } from './request-body.ts'

test('a refused client that does not finish its request is cut off after two seconds', async ({
  servers,
}) => {
  const refused = vi.fn()
  const origin = await servers.serve((req, res) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    discardRest(req)
    res.writeHead(413).end()
    refused()
  })
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234')
  await once(socket, 'data')
  expect(refused).toHaveBeenCalledTimes(1)
  const closed = once(socket, 'close')
  vi.advanceTimersByTime(2_000)
  vi.useRealTimers()
  await closed
})
