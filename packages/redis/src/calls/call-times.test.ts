import { expect, test, vi } from '@repo/testing'
import { connectRedis } from '../connect.ts'
import { RedisError } from '../errors.ts'
import { CallTimes } from './call-times.ts'

test('a call does not read the clock until a recorder is attached, and one that began before has no time', () => {
  const clock = vi.spyOn(performance, 'now')
  const times = new CallTimes()
  const early = times.begin()
  times.end(early)
  expect(clock).not.toHaveBeenCalled()

  const recorded: number[] = []
  times.recordTo((seconds) => recorded.push(seconds))
  times.end(early)
  expect(recorded).toEqual([])
  times.end(times.begin())
  expect(recorded).toHaveLength(1)
  clock.mockRestore()
})

test('a call is observed from its begin to its reply or error, with the name of its command', async ({
  redisUrl,
}) => {
  const redis = connectRedis({ url: redisUrl, name: 'observed' })
  const events: unknown[] = []
  await redis.ready()
  await redis.call((client) => client.ping())
  redis.times.observeBy(() => {
    events.push('begin')
    return (command, error) => events.push([command, error instanceof RedisError && error.code])
  })
  await redis.call((client) => client.set('{observed}', 'text'))
  const wrong = redis.call((client) => client.lpush('{observed}', '1'))
  expect(events).toEqual(['begin', ['set', false], 'begin'])
  await expect(wrong).rejects.toThrow('WRONGTYPE')
  redis.times.observeBy(() => undefined)
  await redis.call((client) => client.ping())
  expect(events.at(-1)).toEqual(['lpush', 'defect'])
  expect(events).toHaveLength(4)
  await redis.close()
})
