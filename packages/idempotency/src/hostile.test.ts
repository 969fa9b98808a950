import { expect, findRawErrors, findRawErrorsOfOptions, test } from '@repo/testing'
import { idempotency, type IdempotencyOptions } from './http/hono.ts'
import {
  type Attempt,
  claimIdOf,
  createOnce,
  fingerprintOf,
  idempotencyFigures,
  IdempotencyError,
  isStorable,
  type OnceOptions,
  parseKey,
  problemOf,
  storableHeaders,
} from './index.ts'
import { memoryStore } from './memory/memory-store.ts'

const isCoded = (error: unknown) => error instanceof IdempotencyError
const done = { status: 201, headers: [], body: Buffer.from('done') }
const fingerprint = fingerprintOf({ method: 'POST', target: '/', body: Buffer.from('{}') })
const create = (options: OnceOptions) => createOnce(options).close()
const request = { scope: 'ada', key: 'k-1', fingerprint }

test('each option that is not valid is refused with a code and its name', async () => {
  const once: Required<OnceOptions> = {
    store: memoryStore(),
    leaseMs: 15_000,
    ttlMs: 86_400_000,
    inFlight: 'conflict',
    maxResponseBytes: 1_000,
    seal: { keys: [{ id: 'a', secret: Buffer.alloc(32) }] },
    graceMs: 0,
    log: { info: () => undefined, warn: () => undefined },
  }
  expect(await findRawErrorsOfOptions(once, create, { isCoded })).toEqual([])
  const ring = { keys: [{ id: 'a', secret: Buffer.alloc(32) }], isUnsealedAllowed: true }
  const sealed = (seal: NonNullable<OnceOptions['seal']>) => create({ ...once, seal })
  expect(await findRawErrorsOfOptions(ring, sealed, { isCoded })).toEqual([])
  for (const part of ['id', 'secret']) {
    const key = (value: unknown) => {
      const changed = { id: 'a', secret: Buffer.alloc(32), [part]: value }
      return create({ ...once, seal: { keys: [changed] } })
    }
    expect(await findRawErrors(key, { isCoded }), part).toEqual([])
  }
  const waits = (waitMs: never) => create({ ...once, inFlight: { waitMs } })
  expect(await findRawErrors(waits, { isCoded })).toEqual([])
  const memory = { replicas: 1, maxKeys: 10, now: () => 0 }
  expect(await findRawErrorsOfOptions(memory, memoryStore, { isCoded })).toEqual([])
  const middleware: Required<IdempotencyOptions> & { required: true } = {
    once: createOnce(once),
    scope: () => 'ada',
    required: true,
    fingerprint: 'bytes',
    maxBodyBytes: 10,
    toResponse: () => new Response(),
  }
  expect(await findRawErrorsOfOptions(middleware, idempotency, { isCoded })).toEqual([])
  for (const call of [createOnce, memoryStore, idempotency]) {
    expect(await findRawErrors(call, { isCoded, except: ['undefined'] })).toEqual([])
  }
  await middleware.once.close()
})

test('each argument of a Once that is not valid ends with a coded error', async () => {
  const once = createOnce({ store: memoryStore() })
  for (const part of ['scope', 'key', 'fingerprint']) {
    const begin = async (value: never) => {
      const started = await once.begin({ ...request, [part]: value })
      if (started.outcome === 'claimed') await started.attempt.release()
    }
    expect(await findRawErrors(begin, { isCoded }), part).toEqual([])
  }
  const calls = {
    begin: (value: never) => once.begin(value),
    run: (value: never) => once.run(value, async () => done),
    work: (value: never) => once.run({ ...request, key: 'work' }, value),
    recordTimes: (value: never) => once.recordTimes(value),
  }
  const except = ['a function that throws', 'a function that rejects']
  for (const [name, call] of Object.entries(calls)) {
    expect(await findRawErrors(call, { isCoded, except }), name).toEqual([])
  }
  await once.close()
})

test('each argument of an attempt that is not valid ends with a coded error', async () => {
  const once = createOnce({ store: memoryStore() })
  const started = await once.begin(request)
  if (started.outcome !== 'claimed') throw new Error('the key is free')
  const { attempt } = started
  const except = ['a function that throws', 'a function that rejects']
  const calls: Record<string, (value: never) => unknown> = {
    downstreamKey: (value) => attempt.downstreamKey(value),
    stepName: (value) => attempt.step(value, async () => 1),
    step: (value) => attempt.step('a', value),
    result: (value) => attempt.step('b', async () => value),
    transaction: (value) => attempt.transaction(value),
    complete: (value) => completeOther(value),
    status: (value) => completeOther({ ...done, status: value }),
    headers: (value) => completeOther({ ...done, headers: value }),
    body: (value) => completeOther({ ...done, body: value }),
    isBodyOmitted: (value) => completeOther({ ...done, isBodyOmitted: value }),
  }
  let keys = 0
  async function completeOther(response: Parameters<Attempt['complete']>[0]) {
    keys += 1
    const other = await once.begin({ ...request, key: `other-${keys}` })
    if (other.outcome !== 'claimed') throw new Error('the key is free')
    try {
      await other.attempt.complete(response)
    } finally {
      await other.attempt.release()
    }
  }
  for (const [name, call] of Object.entries(calls)) {
    expect(await findRawErrors(call, { isCoded, except }), name).toEqual([])
  }
  await attempt.release()
  await once.close()
})

test('every other exported function ends with a result or a coded error', async () => {
  const functions: Record<string, (value: never) => unknown> = {
    parseKey,
    parseKeys: (value) => parseKey([value]),
    scope: (value) => claimIdOf(value, 'k'),
    key: (value) => claimIdOf('ada', value),
    fingerprintOf,
    method: (value) => fingerprintOf({ method: value, target: '/', body: Buffer.alloc(0) }),
    target: (value) => fingerprintOf({ method: 'GET', target: value, body: Buffer.alloc(0) }),
    body: (value) => fingerprintOf({ method: 'GET', target: '/', body: value }),
    isStorable,
    storableHeaders,
    problemOf,
    idempotencyFigures: (value) => idempotencyFigures(value, () => ({ observe: () => undefined })),
  }
  for (const [name, call] of Object.entries(functions)) {
    expect(await findRawErrors(call, { isCoded }), name).toEqual([])
  }
})
