import { expect, test } from '@repo/testing'
import { parseEnv } from './env.ts'
import {
  sampleRateOf,
  traceEntrySettings,
  traceSettings,
  traceSettingsOf,
} from './trace-settings.ts'

type Source = Record<string, string | undefined>

/** Returns the settings. @throws the faults */
function read(source: Source) {
  const parsed = parseEnv(traceSettings, source)
  if (parsed.outcome === 'invalid') throw new Error(parsed.faults.join('\n'))
  return { to: traceSettingsOf(parsed.env), rate: sampleRateOf(parsed.env) }
}

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318' }

test('no traces are sent without an endpoint, or when the standard settings turn them off', () => {
  for (const source of [
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: '' },
    { ...ENDPOINT, OTEL_SDK_DISABLED: 'true' },
    { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' },
    { OTEL_SERVICE_NAME: 'shop', OTEL_TRACES_SAMPLER: 'always_on' },
  ]) {
    expect(read(source).to, JSON.stringify(source)).toBeUndefined()
  }
})

test.for([
  ['http://localhost:4318', 'http://localhost:4318/v1/traces'],
  ['http://localhost:4318/', 'http://localhost:4318/v1/traces'],
  ['https://collector.test/base//', 'https://collector.test/base/v1/traces'],
  ['http://[::1]:4318', 'http://[::1]:4318/v1/traces'],
])('the endpoint %s gets the path of traces', ([endpoint, url]) => {
  expect(read({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }).to).toMatchObject({ url })
})

test('an endpoint for traces is used unchanged, and before the general one', () => {
  const url = 'https://collector.test/my/path?team=a'
  expect(read({ ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url }).to).toMatchObject({ url })
})

test('headers, the name of the service and attributes are read as the specification describes', () => {
  const source = {
    ...ENDPOINT,
    OTEL_EXPORTER_OTLP_HEADERS: ' authorization = Bearer%20a%3Db , x-team=one,',
    OTEL_SERVICE_NAME: 'shop',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test,a=%C3%A9%2C',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  }
  expect(read(source).to).toMatchObject({
    headers: { authorization: 'Bearer a=b', 'x-team': 'one' },
    serviceName: 'shop',
    attributes: { 'deployment.environment.name': 'test', a: 'é,' },
  })
  const headers = 'x-team=two'
  expect(read({ ...source, OTEL_EXPORTER_OTLP_TRACES_HEADERS: headers }).to).toMatchObject({
    headers: { 'x-team': 'two' },
  })
})

test('spans wait 5,000 ms for others, or as long as the standard setting says', () => {
  expect(read(ENDPOINT).to).toMatchObject({ delayMs: 5_000 })
  const source = { ...ENDPOINT, OTEL_BSP_SCHEDULE_DELAY: '250' }
  expect(read(source).to).toMatchObject({ delayMs: 250 })
})

test.for([
  [{}, 1],
  [{ TRACE_SAMPLE_RATE: '0.25' }, 0.25],
  [{ OTEL_TRACES_SAMPLER: 'always_on' }, 1],
  [{ OTEL_TRACES_SAMPLER: 'always_off' }, 0],
  [{ OTEL_TRACES_SAMPLER: 'parentbased_always_off' }, 0],
  [{ OTEL_TRACES_SAMPLER: 'traceidratio' }, 1],
  [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' }, 0.01],
  [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, 0],
  [{ OTEL_TRACES_SAMPLER: 'always_on', OTEL_TRACES_SAMPLER_ARG: '0.5' }, 1],
] as const)('%o records a share of %d', ([source, rate]) => {
  expect(read(source).rate).toBe(rate)
})

test.for([
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'localhost:4318', 'http or https URL'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'grpc://localhost:4317', 'http or https URL'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://user:S3CRET@localhost', 'without credentials'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://localhost:99999', 'http or https URL'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://localhost:4318/?key=S3CRET', 'must have no query'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://localhost:4318?', 'must have no query'],
  ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', '/v1/traces', 'http or https URL'],
  ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', 'must be http/json'],
  ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'http/protobuf', 'must be http/json'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'S3CRET', 'header=value pairs'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a=%zzS3CRET', 'percent-encoded'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a=S3CRET%0d%0ab: c', 'header=value pairs'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a b=S3CRET', 'header=value pairs'],
  ['OTEL_EXPORTER_OTLP_TRACES_HEADERS', '=S3CRET', 'header=value pairs'],
  ['OTEL_RESOURCE_ATTRIBUTES', 'no pair', 'key=value pairs'],
  ['OTEL_BSP_SCHEDULE_DELAY', '0', 'Too small'],
  ['OTEL_BSP_SCHEDULE_DELAY', '5s', 'Invalid'],
  ['OTEL_TRACES_EXPORTER', 'zipkin', 'Invalid option'],
  ['OTEL_TRACES_SAMPLER', 'jaeger_remote', 'Invalid option'],
  ['OTEL_TRACES_SAMPLER_ARG', '0.5', 'has an effect only with OTEL_TRACES_SAMPLER'],
  ['OTEL_SDK_DISABLED', 'maybe', 'Invalid'],
  ['TRACE_SAMPLE_RATE', '2', 'Too big'],
  ['TRACE_SECRET', 'S3CRET', 'at least 32 characters'],
] as const)('the setting %s=%s is refused by name, without its value', ([name, value, reason]) => {
  const parsed = parseEnv({ ...traceSettings, ...traceEntrySettings }, { [name]: value })
  expect(parsed).toMatchObject({ outcome: 'invalid' })
  const text = JSON.stringify(parsed)
  expect(text).toContain(`${name}: `)
  expect(text).toContain(reason)
  expect(text).not.toContain('S3CRET')
})

test.for(['1.5', '-1', 'half', 'NaN'])('the argument %s of a sampler is refused', (share) => {
  const source = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: share }
  const faults = ['OTEL_TRACES_SAMPLER_ARG: must be a number from 0 to 1']
  expect(parseEnv(traceSettings, source)).toEqual({ outcome: 'invalid', faults })
})

test('two settings that decide the share of recorded traces are refused together', () => {
  const source = { TRACE_SAMPLE_RATE: '0.5', OTEL_TRACES_SAMPLER: 'always_on' }
  const faults = ['TRACE_SAMPLE_RATE: cannot be beside OTEL_TRACES_SAMPLER']
  expect(parseEnv(traceSettings, source)).toEqual({ outcome: 'invalid', faults })
})
