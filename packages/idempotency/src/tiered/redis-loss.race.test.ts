import { expect } from '@repo/testing'
import {
  findFaults,
  loseAfterSuccess,
  loseWhileRunning,
  newKey,
  ONE,
  payAll,
  test,
  untilPaid,
} from '../postgres/payers.fixture.ts'

test('a payment during which Redis loses its memory is made once, although another instance pays it too', async ({
  open,
}) => {
  expect(await loseWhileRunning(await open({ mode: 'tiered' }))).toEqual(ONE)
})

test('a payment after which Redis loses its memory is replayed by another instance', async ({
  open,
}) => {
  const verdict = await loseAfterSuccess(await open({ mode: 'tiered' }))
  expect(verdict).toEqual({ ...ONE, outcome: 'replayed' })
})

test('each of 60 payments is made once while Redis hangs, is killed, restarts and is emptied', async ({
  open,
  ownValkey,
}) => {
  const world = await open({ mode: 'tiered', count: 3, redisUrl: ownValkey.url })
  const keys = Array.from({ length: 60 }, newKey)
  const paying = payAll(world, { keys, clientsPerKey: 3, workMs: 300 })
  await untilPaid(world, keys)
  await world.flush()
  await ownValkey.pause()
  await untilPaid(world, keys)
  ownValkey.resume()
  await ownValkey.kill('SIGKILL')
  await untilPaid(world, keys)
  await ownValkey.restart()
  expect(await findFaults(world, keys, await paying)).toEqual([])
})

test('payments are made once, and replayed, while Redis is unavailable for all of the time', async ({
  open,
  ownValkey,
}) => {
  const world = await open({ mode: 'tiered', redisUrl: ownValkey.url })
  await ownValkey.kill('SIGKILL')
  const keys = Array.from({ length: 10 }, newKey)
  const results = await payAll(world, { keys, clientsPerKey: 5 })
  expect(await findFaults(world, keys, results)).toEqual([])
})
