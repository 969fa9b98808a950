import { expect, test } from '@repo/testing'
import { readRequestContext } from '../request/request-context.ts'
import { Span } from '../trace/span.ts'
import { createMetrics } from './metrics.ts'
import { acceptsOpenMetrics } from './open-metrics.ts'

const PROMETHEUS =
  'application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'

const LABELS = String.raw`\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\n"])*",?)+\}`
const NUMBER = String.raw`(?:NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)`
/** A line of OpenMetrics 1.0.0, section "ABNF". */
const LINE = new RegExp(
  String.raw`^(?:# HELP [a-z]\w* (?:[^"\\\n]|\\[\\n"])*|# TYPE [a-z]\w* (?:counter|gauge|histogram|summary)|([a-z]\w*)(?:${LABELS})? ${NUMBER}(?: # ${LABELS} ${NUMBER}(?: ${NUMBER})?)?)$`,
  'i',
)

function sorted(labels: string): string {
  return `{${labels.split(',').toSorted().join(',')}}`
}

/** A request whose span is recorded. */
function recordedRequest() {
  const context = readRequestContext({ headers: {} })
  return { ...context, span: new Span({ add: () => undefined }, '', 'server', context) }
}

/** The samples of the product, without exemplars, in an order that both formats share. */
function samplesOf(body: string): string[] {
  return body
    .split('\n')
    .filter((line) => line.startsWith('threefold_'))
    .map((line) => line.replace(/ # .*/, ''))
    .map((line) => line.replace(/\{(.*)\}/, (_, labels: string) => sorted(labels)))
    .toSorted()
}

function createServedMetrics() {
  const metrics = createMetrics({ app: 'auth', instance: 'auth-1' })
  metrics.observe([
    {
      ...{
        name: 'threefold_test_total',
        help: 'a "quoted" \\ text\nof two lines',
        kind: 'counter',
      },
      labels: { text: 'a "quoted" \\ text\nof two lines' },
      read: () => 3,
    },
  ])
  return metrics
}

test('only a scraper that prefers OpenMetrics 1.0.0 to text receives it', () => {
  const accepted = [
    PROMETHEUS,
    'application/openmetrics-text',
    'application/openmetrics-text; version=1.0.0; charset=utf-8',
    'Application/OpenMetrics-Text;q=1, text/plain',
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3',
  ]
  for (const accept of accepted)
    expect([accept, acceptsOpenMetrics(accept)]).toEqual([accept, true])
  const refused = [
    undefined,
    '',
    '*/*',
    'text/plain',
    'text/html,application/openmetrics-textual',
    'application/openmetrics-text;q=0',
    'application/openmetrics-text;version=0.0.1',
    'application/openmetrics-text;q=0.1,text/plain;q=0.9',
    'application/openmetrics-text;q=many',
    ';;,,q=',
  ]
  for (const accept of refused)
    expect([accept, acceptsOpenMetrics(accept)]).toEqual([accept, false])
})

test('every line of OpenMetrics is well formed, and each sample belongs to the family above it', async () => {
  const metrics = createServedMetrics()
  const context = { ...recordedRequest(), route: '/api/payments/{id}' }
  for (const seconds of [0, 0.3, 60]) metrics.requests.record('GET', 200, seconds, context)
  const { contentType, body } = await metrics.scrape(PROMETHEUS)
  expect(contentType).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
  expect(body.endsWith('\n# EOF\n')).toBe(true)
  const lines = body.split('\n').slice(0, -2)
  let [family, type] = ['', '']
  for (const line of lines) {
    expect(line).toMatch(LINE)
    const declared = /^# TYPE (\S+) (\S+)$/.exec(line)
    if (declared) [family, type] = [declared[1] ?? '', declared[2] ?? '']
    const sample = line.startsWith('#') ? undefined : LINE.exec(line)?.[1]
    if (sample === undefined) continue
    const suffixes = { counter: ['_total'], histogram: ['_bucket', '_sum', '_count'] }[type] ?? ['']
    expect(suffixes.map((suffix) => family + suffix)).toContain(sample)
  }
  const declared = lines.filter((line) => line.startsWith('# TYPE '))
  expect(new Set(declared).size).toBe(declared.length)
})

test('OpenMetrics has the samples of the text format, and the next text scrape is unchanged', async () => {
  const metrics = createServedMetrics()
  metrics.requests.record('GET', 200, 0.3, recordedRequest())
  const before = await metrics.scrape('text/plain')
  const openMetrics = await metrics.scrape(PROMETHEUS)
  const after = await metrics.scrape()
  expect(before.body).not.toContain(' # {')
  expect(samplesOf(openMetrics.body)).toEqual(samplesOf(before.body))
  expect(samplesOf(after.body)).toEqual(samplesOf(before.body))
  expect(after.contentType).toMatch(/^text\/plain; version=0\.0\.4/)
})

test('a bucket has the last recorded trace as its exemplar, and requests without a recorded span are in no exemplar', async () => {
  const metrics = createServedMetrics()
  const record = (seconds: number, isRecorded: boolean) => {
    // Without a receiver of traces, a sampled request has no span.
    const context = isRecorded ? recordedRequest() : readRequestContext({ headers: {} })
    metrics.requests.record('GET', 200, seconds, context)
    return context.traceId
  }
  record(0.3, true)
  const slow = record(0.4, true)
  const fast = record(0.002, true)
  record(0.4, false)
  record(60, false)
  const { body } = await metrics.scrape(PROMETHEUS)
  const exemplars = body.match(/^threefold_http_request_seconds_bucket.* # .*$/gm) ?? []
  expect(exemplars.map((line) => line.replace(/\{[^{]*le="([^"]*)".*? # /, '$1 '))).toEqual([
    expect.stringMatching(
      new RegExp(String.raw`bucket0.0025 \{trace_id="${fast}"\} 0.002 \d{10}(\.\d+)?$`),
    ),
    expect.stringMatching(new RegExp(String.raw`bucket0.5 \{trace_id="${slow}"\} 0.4 \d{10}`)),
  ])
})
