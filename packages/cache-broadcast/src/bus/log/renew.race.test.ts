import path from 'node:path'
import { connectRedis } from '@repo/redis'
import { copyMutant, type Edit, expect, test, until } from '@repo/testing'
import { toRegistration } from '../barrier/member.ts'
import { createBusErrors } from '../bus-errors.ts'
import { busKeys } from '../keys.ts'
import { createLease } from '../lease.ts'
import { createLegacyNews } from './publish.ts'
import { connectTail, createTail } from './tail.ts'

const member = 'a~2-1'
const maxStaleMs = 1_000
const SOURCE = path.join(import.meta.dirname, '../..')

/** A follower of the log whose reads are held back, and whose clock the test moves. */
async function openTail(redisUrl: string, create: typeof createTail, beatMs = () => 250) {
  const redis = connectRedis({ url: redisUrl, name: 'a' })
  await redis.ready()
  const keys = busKeys('test', redis)
  const lease = createLease()
  const state = { reads: 0, joins: 0, laterMs: 0, gate: Promise.resolve() }
  const now = () => performance.now() + state.laterMs
  const tail = create({
    connect() {
      const client = connectTail(redis.client, member)
      const send = client.sendCommand.bind(client)
      client.sendCommand = (command, stream) => {
        if (command.name === 'hmget') {
          state.reads += 1
          const { gate } = state
          const { resolve } = command
          command.resolve = (reply) => void gate.then(() => resolve(reply))
        }
        return send(command, stream)
      }
      return client
    },
    keys,
    lease,
    maxStaleMs,
    now,
    beatMs,
    legacy: createLegacyNews(undefined, () => undefined),
    registration: toRegistration(member, maxStaleMs),
    answers: keys.answers(member),
    registrationMs: 60_000,
    onEntry: () => undefined,
    onAnswer: () => undefined,
    onGap: () => undefined,
    acks: {
      takePosition: () => ({ n: 0, behind: '', wasBehind: false }),
      takeJoinPosition: () => ({ n: 0, behind: '', wasBehind: false }),
    },
    onJoin: () => (state.joins += 1),
    errors: createBusErrors({ bus: 'test', log: undefined, now }),
  })
  await tail.first
  return {
    tail,
    redis,
    lease,
    state,
    now,
    async [Symbol.asyncDispose]() {
      await tail.close()
      await redis.close()
    },
  }
}

/** Holds the replies to all reads that are sent from now on; returns a function that releases them. */
function hold(state: { gate: Promise<void> }): () => void {
  const { promise, resolve } = Promise.withResolvers<void>()
  state.gate = promise
  return () => {
    state.gate = Promise.resolve()
    resolve()
  }
}

/** The number of reads after a call that began while a read was in flight, when the call resolves. */
async function readsOfRenewal(redisUrl: string, agoMs: number, create = createTail) {
  await using one = await openTail(redisUrl, create)
  const release = hold(one.state)
  const before = one.state.reads
  await until(() => one.state.reads > before)
  const atCall = one.state.reads
  const renewal = one.tail.renew(one.now() - agoMs)
  release()
  const isRenewed = await renewal
  return { isRenewed, reads: one.state.reads - atCall }
}

/** Whether a reply renews the lease that was read after `laterMs`. */
async function isRenewedByLateReply(redisUrl: string, laterMs: number, create = createTail) {
  await using one = await openTail(redisUrl, create)
  const release = hold(one.state)
  const before = one.state.reads
  const renewal = one.tail.renew(one.now())
  await until(() => one.state.reads > before)
  one.state.laterMs += laterMs
  release()
  return { isRenewed: await renewal, isLeased: one.now() < one.lease.untilMs }
}

/** Whether a new connection is used after a renewal failed whose read was sent on the one before. */
async function isNewerConnectionUsed(redisUrl: string, create = createTail) {
  await using one = await openTail(redisUrl, create)
  // Only the read of the renewal is held back. It is sent at once.
  const release = hold(one.state)
  const renewal = one.tail.renew(one.now())
  one.state.gate = Promise.resolve()
  // Its reply is about a log that is lost when it is read.
  await one.redis.client.flushdb()
  one.tail.rejoin()
  await until(() => one.state.joins === 2 && one.now() < one.lease.untilMs)
  release()
  expect(await renewal).toBe(false)
  return { isUsed: await one.tail.renew(one.now()), isLeased: one.now() < one.lease.untilMs }
}

/** Runs a scenario with a mutant of the follower. Node imports each path once. */
async function withMutant<T>(
  name: string,
  edit: Edit,
  scenario: (create: typeof createTail) => Promise<T>,
) {
  const { source, remove } = await copyMutant(SOURCE, name, [edit])
  try {
    const file = path.join(path.dirname(source), 'bus/log/tail.ts')
    const mutant: { createTail: typeof createTail } = await import(file)
    return await scenario(mutant.createTail)
  } finally {
    await remove()
  }
}

test('I11: a renewal is proved by a read that is sent after the call, also while an earlier read is in flight', async ({
  redisUrl,
}) => {
  expect(await readsOfRenewal(redisUrl, 0)).toEqual({ isRenewed: true, reads: 1 })
  // Each read is later than this time, so the read in flight is proof.
  expect(await readsOfRenewal(redisUrl, 60_000)).toEqual({ isRenewed: true, reads: 0 })
})

test('I11: a mutant in which the read in flight serves later callers is detected', async ({
  redisUrl,
}) => {
  const edit: Edit = [
    'bus/log/tail.ts',
    'latest?.isInFlight && latest.sentAtMs > sinceMs',
    'latest?.isInFlight',
  ]
  const result = await withMutant('shared read', edit, (create) =>
    readsOfRenewal(redisUrl, 0, create),
  )
  expect(result.reads).toBe(0)
})

test('I11: a reply that is read later than a lease after its request renews nothing', async ({
  redisUrl,
}) => {
  const early = await isRenewedByLateReply(redisUrl, 500)
  const late = await isRenewedByLateReply(redisUrl, maxStaleMs + 1)
  expect({ early, late }).toEqual({
    early: { isRenewed: true, isLeased: true },
    late: { isRenewed: false, isLeased: false },
  })
})

test('I11: a mutant whose lease counts from the reply is detected', async ({ redisUrl }) => {
  const edit: Edit = [
    'bus/log/tail.ts',
    'lease.prolong(sentAtMs + maxStaleMs, now())',
    'lease.prolong(now() + maxStaleMs, now())',
  ]
  const late = await withMutant('late lease', edit, (create) =>
    isRenewedByLateReply(redisUrl, maxStaleMs + 1, create),
  )
  expect(late).toEqual({ isRenewed: true, isLeased: true })
})

test('I11: a renewal that fails leaves the connection that was joined meanwhile unchanged', async ({
  redisUrl,
}) => {
  expect(await isNewerConnectionUsed(redisUrl)).toEqual({ isUsed: true, isLeased: true })
})

test('I11: a mutant whose failed renewal ends the newer connection is detected', async ({
  redisUrl,
}) => {
  const edit: Edit = ['bus/log/tail.ts', 'if (joined === connection) rejoin()', 'rejoin()']
  const result = await withMutant('ended connection', edit, (create) =>
    isNewerConnectionUsed(redisUrl, create),
  )
  expect(result).toEqual({ isUsed: false, isLeased: false })
})

test('I11: 1,000 concurrent renewals share one read, and without a connection they fail at once', async ({
  redisUrl,
}) => {
  await using one = await openTail(redisUrl, createTail)
  const before = one.state.reads
  const release = hold(one.state)
  const sinceMs = one.now() - 0.01
  const renewals = Array.from({ length: 1_000 }, () => one.tail.renew(sinceMs))
  await until(() => one.state.reads > before)
  release()
  expect(new Set(await Promise.all(renewals))).toEqual(new Set([true]))
  expect(one.state.reads - before).toBe(1)
  one.tail.rejoin()
  expect(await one.tail.renew(0)).toBe(false)
})
