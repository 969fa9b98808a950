import { expect } from 'vitest'
import { ask, send, test } from './pool.fixture.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

test('a pool that a handler destroys opens no connection afterwards', async ({ pools }) => {
  const instance = await pools.instance((socket) => void socket.write(OK))
  const pool = pools.poolOf(instance.origin)
  await Promise.all([ask(pool), ask(pool)])
  const [first, second] = [send(pool), send(pool)]
  first.onSent = () => pool.destroy()
  await Promise.all([first.ended, second.ended])
  expect(first.events).toEqual(['error closed'])
  expect(second.events).toEqual(['error closed'])
  expect(send(pool).events).toEqual(['error closed'])
  await pool.close()
  await new Promise((resolve) => instance.server.close(resolve))
  expect(instance.connections).toHaveLength(2)
})

test('informational responses without an end do not extend the timeout of the head', async ({
  pools,
}) => {
  const instance = await pools.instance((socket) => {
    const hints = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 5)
    socket.on('close', () => clearInterval(hints))
  })
  const { events } = await ask(pools.poolOf(instance.origin, { headersTimeoutMs: 100 }))
  expect(events).toContain('information 103')
  expect(events.at(-1)).toBe('error head_timeout')
})
