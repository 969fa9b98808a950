import { expect, freePort, test, until } from '@repo/testing'
import { startTraceReceiver } from '@repo/testing/otlp'
import { figureOf, openTraces, recorded } from './traces.fixture.ts'
import { endRequestSpan, type Traces } from './traces.ts'

const QUEUED = 2_048

/** Ends spans of requests, one each. */
function addSpans(traces: Traces, count: number): void {
  for (let n = 0; n < count; n += 1) {
    recorded(traces, (request) =>
      endRequestSpan(request, { method: 'GET', status: 200, isCut: false }),
    )
  }
}

async function droppedOf(traces: Traces): Promise<number> {
  const reasons = ['queue_full', 'unreachable', 'timeout', 'refused', 'shutdown']
  const counts = await Promise.all(
    reasons.map((reason) => figureOf(traces, 'dropped_total', reason)),
  )
  return counts.reduce((sum, count) => sum + count)
}

test('spans above the limit of the queue are dropped and counted, the oldest first', async () => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url)
  const first = recorded(traces, (request) =>
    endRequestSpan(request, { method: 'GET', status: 200, isCut: false }),
  )
  addSpans(traces, QUEUED + 99)
  expect(await figureOf(traces, 'dropped_total', 'queue_full')).toBe(100)
  await until(() => receiver.spans.length === QUEUED)
  expect(receiver.spans.some(({ spanId }) => spanId === first.spanId)).toBe(false)
  await until(async () => (await figureOf(traces, 'exported_total')) === QUEUED)
})

test('a full queue is one request, which is encoded in at least 32 turns of the event loop', async () => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url)
  addSpans(traces, QUEUED)
  let turns = 0
  const count = () => {
    turns += 1
    if (receiver.requests.length === 0) setImmediate(count)
  }
  setImmediate(count)
  await until(() => receiver.spans.length === QUEUED)
  expect(receiver.requests).toHaveLength(1)
  expect(turns).toBeGreaterThanOrEqual(32)
})

test('requests to the receiver are at least the interval apart', async () => {
  await using receiver = await startTraceReceiver()
  const openedAtMs = performance.now()
  await using traces = openTraces(receiver.url, { everyMs: 60 })
  for (let n = 1; n <= 4; n += 1) {
    addSpans(traces, 1)
    await until(() => receiver.requests.length === n)
  }
  // A timer can fire up to 1 ms early.
  expect((receiver.requests[3]?.atMs ?? 0) - openedAtMs).toBeGreaterThan(4 * 58)
})

test('fewer than 512 spans wait for the delay, and 512 spans are sent at the next turn', async () => {
  await using control = await startTraceReceiver()
  await using receiver = await startTraceReceiver()
  const settings = { url: `${receiver.url}/v1/traces`, delayMs: 600_000 }
  await using traces = openTraces(receiver.url, { settings, everyMs: 10 })
  await using others = openTraces(control.url, { everyMs: 10 })
  addSpans(traces, 511)
  for (let n = 1; n <= 5; n += 1) {
    addSpans(others, 1)
    await until(() => control.requests.length === n)
  }
  expect(receiver.requests).toEqual([])
  addSpans(traces, 1)
  await until(() => receiver.requests.length)
  expect(receiver.spans).toHaveLength(512)
})

test('a span that waits alone is sent after the delay', async () => {
  await using receiver = await startTraceReceiver()
  const settings = { url: `${receiver.url}/v1/traces`, delayMs: 100 }
  await using traces = openTraces(receiver.url, { settings, everyMs: 10 })
  for (let n = 1; n <= 2; n += 1) {
    const addedAtMs = performance.now()
    addSpans(traces, 1)
    await until(() => receiver.requests.length === n)
    // The first turn can follow at once, and a timer can fire up to 1 ms early.
    expect((receiver.requests[n - 1]?.atMs ?? 0) - addedAtMs).toBeGreaterThan(9 * 9 - 1)
  }
})

test.for([
  [503, 2],
  [429, 2],
  [500, 1],
  [400, 1],
  [302, 1],
] as const)(
  'a batch that the receiver answers with %i is sent %i time(s), and then dropped and counted',
  async ([status, times]) => {
    await using receiver = await startTraceReceiver()
    receiver.behave(status)
    await using traces = openTraces(receiver.url)
    addSpans(traces, 3)
    await until(() => figureOf(traces, 'dropped_total', 'refused'))
    expect(await figureOf(traces, 'dropped_total', 'refused')).toBe(3)
    expect(await figureOf(traces, 'failures_total')).toBe(times)
    receiver.behave('accept')
    addSpans(traces, 1)
    await until(() => receiver.spans.length)
    expect(receiver.requests).toHaveLength(times + 1)
    expect(receiver.spans).toHaveLength(1)
  },
)

test('a batch is accepted at the second attempt, and no span is counted twice', async () => {
  await using receiver = await startTraceReceiver()
  receiver.behave((res) => {
    receiver.behave('accept')
    res.writeHead(503).end()
  })
  await using traces = openTraces(receiver.url)
  addSpans(traces, 3)
  await until(async () => (await figureOf(traces, 'exported_total')) === 3)
  expect(await droppedOf(traces)).toBe(0)
  expect(receiver.requests[0]?.body).toBe(receiver.requests[1]?.body)
})

test('an unreachable receiver costs two attempts for each batch, and each span is counted', async () => {
  await using traces = openTraces(`http://127.0.0.1:${await freePort()}`)
  addSpans(traces, 5)
  await until(() => figureOf(traces, 'dropped_total', 'unreachable'))
  expect(await figureOf(traces, 'dropped_total', 'unreachable')).toBe(5)
  expect(await figureOf(traces, 'failures_total')).toBe(2)
})

test('spans stay bounded and are all counted while the receiver hangs, and the next ones arrive afterwards', async () => {
  await using receiver = await startTraceReceiver()
  receiver.behave('hang')
  await using traces = openTraces(receiver.url, { timeoutMs: 100 })
  addSpans(traces, 1)
  await until(() => receiver.requests.length)
  addSpans(traces, 10 * QUEUED)
  expect(await figureOf(traces, 'dropped_total', 'queue_full')).toBe(9 * QUEUED)
  // The batch in flight, and the one that fills the queue.
  await until(async () => (await figureOf(traces, 'dropped_total', 'timeout')) === 1 + QUEUED)
  receiver.behave('accept')
  addSpans(traces, 7)
  await until(async () => (await figureOf(traces, 'exported_total')) === 7)
  expect(await droppedOf(traces)).toBe(10 * QUEUED + 1)
})

test('a receiver that sends a response without an end is a timeout', async () => {
  await using receiver = await startTraceReceiver()
  receiver.behave((res) => void res.writeHead(200).write('{'))
  await using traces = openTraces(receiver.url, { timeoutMs: 50 })
  addSpans(traces, 1)
  await until(() => figureOf(traces, 'dropped_total', 'timeout'))
})

test('a response of any length is read up to its limit', async () => {
  await using receiver = await startTraceReceiver()
  let cut = false
  receiver.behave((res) => {
    res.on('close', () => (cut = !res.writableFinished))
    res.writeHead(200)
    const send = () => {
      if (!res.destroyed) res.write('x'.repeat(65_536), () => setImmediate(send))
    }
    send()
  })
  await using traces = openTraces(receiver.url)
  addSpans(traces, 1)
  await until(() => figureOf(traces, 'exported_total'))
  await until(() => cut)
})

test('spans that an accepting receiver rejects are counted as refused', async () => {
  await using receiver = await startTraceReceiver()
  receiver.behave((res) => res.end('{"partialSuccess":{"rejectedSpans":"2","errorMessage":"old"}}'))
  await using traces = openTraces(receiver.url)
  addSpans(traces, 5)
  await until(() => figureOf(traces, 'exported_total'))
  expect(await figureOf(traces, 'exported_total')).toBe(3)
  expect(await figureOf(traces, 'dropped_total', 'refused')).toBe(2)
})

test('the headers of the settings are sent, and a redirect does not receive them', async () => {
  await using other = await startTraceReceiver()
  await using receiver = await startTraceReceiver()
  receiver.behave((res) => res.writeHead(307, { location: other.url }).end())
  const headers = { authorization: 'Bearer abc' }
  await using traces = openTraces(receiver.url, {
    settings: { url: `${receiver.url}/v1/traces`, headers },
  })
  addSpans(traces, 1)
  await until(() => figureOf(traces, 'dropped_total', 'refused'))
  expect(receiver.requests[0]).toMatchObject({
    path: '/v1/traces',
    headers: { ...headers, 'content-type': 'application/json' },
  })
  expect(other.requests).toEqual([])
})

test('close sends the spans that wait', async () => {
  await using receiver = await startTraceReceiver()
  const traces = openTraces(receiver.url, { everyMs: 60_000 })
  addSpans(traces, 3)
  await traces.close()
  expect(receiver.spans).toHaveLength(3)
})

test('close ends while the receiver hangs, and counts the spans', async () => {
  await using receiver = await startTraceReceiver()
  receiver.behave('hang')
  const traces = openTraces(receiver.url, { timeoutMs: 600_000 })
  addSpans(traces, 3)
  await until(() => receiver.requests.length)
  addSpans(traces, 4)
  await traces.close()
  expect(await figureOf(traces, 'dropped_total', 'shutdown')).toBe(7)
  expect(await droppedOf(traces)).toBe(7)
})
