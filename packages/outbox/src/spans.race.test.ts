import { schema } from '@repo/database'
import {
  createTraces,
  endRequestSpan,
  inRequest,
  readRequestContext,
  type RequestContext,
  type Traces,
} from '@repo/observability'
import { expect, until } from '@repo/testing'
import { startTraceReceiver } from '@repo/testing/otlp'
import { sql } from 'drizzle-orm'
import { type Db, type Instance, test } from './open.fixture.ts'
import { createOutbox } from './outbox.ts'

const { cacheOutbox } = schema
const VALID = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const LINK = { traceId: VALID.slice(3, 35), spanId: VALID.slice(36, 52) }

function openTraces(url: string, instance: string): Traces & AsyncDisposable {
  const traces = createTraces({
    settings: { url },
    app: 'auth',
    instance,
    version: '1',
    everyMs: 10,
  })
  return { ...traces, [Symbol.asyncDispose]: traces.close }
}

/** An outbox that relays only in a call. */
function outboxOn({ bus }: Instance, db: Db, traces?: Traces) {
  return createOutbox({ bus, db, everyMs: 3_600_000, trace: traces?.linked })
}

/** Runs the work in a request. */
async function request(traces: Traces, isRecorded: boolean, work: () => Promise<unknown>) {
  const context: RequestContext = readRequestContext({ headers: {} }, () => isRecorded)
  traces.begin(context)
  await inRequest(context, work)
  endRequestSpan(context, { method: 'POST', status: 200, isCut: false })
  return context
}

function storedTraces(db: Db) {
  return db.select({ traceparent: cacheOutbox.traceparent }).from(cacheOutbox)
}

test('the rows of a recorded request are spans of the instance that sends them, each in a new trace with a link to the request', async ({
  redisUrl,
  join,
  db,
}) => {
  await using receiver = await startTraceReceiver()
  await using tracesA = openTraces(receiver.url, 'a')
  await using tracesB = openTraces(receiver.url, 'b')
  const a = outboxOn(await join(redisUrl, 'a'), db, tracesA)
  const b = outboxOn(await join(redisUrl, 'b'), db, tracesB)
  const context = await request(tracesA, true, () =>
    db.transaction(async (tx) => {
      await a.invalidate(tx, 'user', 'secret-key')
      await a.emit(tx, 'made', { text: 'secret-data' })
    }),
  )
  expect(await b.relay()).toEqual({ relayed: 2, failed: 0, refused: 0 })
  await until(() => receiver.spans.length === 3)
  const { traceId, spanId } = context
  const spans = receiver.spans.filter(({ instance }) => instance === 'b')
  expect(spans.map(({ name }) => name).toSorted()).toEqual(['outbox event', 'outbox keys'])
  for (const span of spans) {
    const links = [{ traceId, spanId }]
    expect(span).toMatchObject({ kind: 5, parentSpanId: undefined, links, isError: false })
  }
  expect(new Set(receiver.spans.map((span) => span.traceId)).size).toBe(3)
  expect(receiver.requests.map(({ body }) => body).join('\n')).not.toContain('secret')
})

test.for([
  ['no traceparent', null],
  ['an empty traceparent', ''],
  ['text in place of a traceparent', 'user@example.com'],
  ['a traceparent with zeros for the trace', VALID.replace(LINK.traceId, '0'.repeat(32))],
  ['a traceparent in upper case', VALID.toUpperCase()],
  ['a traceparent with a line break', `${VALID}\n`],
  ['a traceparent of 10 MB', VALID.repeat(200_000)],
  ['the traceparent of a trace that is not recorded', VALID.replace(/1$/, '0')],
] as const)(
  'a row with %s is sent and has no span, and the next row has its span',
  async ([, traceparent], { redisUrl, join, db }) => {
    await using receiver = await startTraceReceiver()
    await using traces = openTraces(receiver.url, 'a')
    const a = outboxOn(await join(redisUrl, 'a'), db, traces)
    const message = { kind: 'clear', cache: 'user' }
    await db.insert(cacheOutbox).values([
      { bus: 'test', message, traceparent },
      { bus: 'test', message: { kind: 'tags', tags: ['t'] }, traceparent: VALID },
    ])
    expect(await a.relay()).toEqual({ relayed: 2, failed: 0, refused: 0 })
    expect(await db.$count(cacheOutbox)).toBe(0)
    await traces.close()
    expect(receiver.spans).toMatchObject([{ name: 'outbox tags', links: [LINK] }])
  },
)

test('without traces, and in a request that is not recorded, no traceparent is stored, and rows with one are sent', async ({
  redisUrl,
  join,
  db,
}) => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url, 'a')
  const instance = await join(redisUrl, 'a')
  const [on, off] = [outboxOn(instance, db, traces), outboxOn(instance, db)]
  await request(traces, false, () => on.clear(db, 'user'))
  await on.clear(db, 'user')
  await request(traces, true, () => off.clear(db, 'user'))
  expect(await storedTraces(db)).toEqual(Array.from({ length: 3 }, () => ({ traceparent: null })))
  const { traceparent } = await request(traces, true, () => on.clear(db, 'user'))
  expect(await storedTraces(db)).toContainEqual({ traceparent })
  expect(await off.relay()).toEqual({ relayed: 4, failed: 0, refused: 0 })
  await traces.close()
  expect(receiver.spans.map(({ name }) => name)).toEqual(['POST', 'POST'])
})

test('a row that stays has no span, and a row that is set aside or forwarded has one', async ({
  redisUrl,
  join,
  db,
}) => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url, 'a')
  const a = outboxOn(await join(redisUrl, 'a'), db, traces)
  const large = { kind: 'event', event: 'made', data: 'x'.repeat(70_000) }
  const unreadable = { kind: 'keys', cache: 'user', keys: 1 }
  const row = { bus: 'test', traceparent: VALID }
  await db.insert(cacheOutbox).values([
    { ...row, message: large },
    { ...row, message: unreadable },
  ])
  expect(await a.relay()).toEqual({ relayed: 0, failed: 1, refused: 1 })
  expect(await a.relay()).toEqual({ relayed: 0, failed: 1, refused: 0 })
  expect(a.backlog.refused()).toBe(1)
  await db.insert(cacheOutbox).values({ ...row, message: { kind: 'of the future' } })
  await db.update(cacheOutbox).set({ createdAt: sql`now() - interval '11 s'` })
  expect(await a.relay()).toEqual({ relayed: 2, failed: 0, refused: 0 })
  await traces.close()
  const spans = receiver.spans.toSorted((one, two) => one.name.localeCompare(two.name))
  expect(spans).toMatchObject([
    { name: 'outbox event', isError: true, attributes: { 'error.type': 'too-large' } },
    { name: 'outbox keys', isError: false },
    { name: 'outbox other', isError: false },
  ])
})
