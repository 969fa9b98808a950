import type { TraceSettings } from '@repo/observability'
import { z } from 'zod'

type Attributes = Record<string, string>

/** The samplers of the OpenTelemetry specification. The parent is never outside of this system. */
const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const
// RFC 9110 5.6.2
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// RFC 9110 5.5, without the characters that no receiver needs.
const FIELD_VALUE = /^[\x20-\x7e]*$/

/** The URL of a receiver. Its text is never in a fault, because it can be a secret. */
export function receiverUrl(example = 'http://localhost:4318') {
  const fault = `must be an http or https URL without credentials, such as ${example}`
  return z.string().trim().refine(isReceiverUrl, fault)
}

const NO_QUERY = 'must have no query; set OTEL_EXPORTER_OTLP_TRACES_ENDPOINT to a URL with one'

/** The path of traces is added to the URL. */
function hasNoQuery(text: string): boolean {
  return !text.includes('?')
}

function isReceiverUrl(text: string): boolean {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol) || url.hash !== '') return false
  return url.username === '' && url.password === '' && url.port !== '0'
}

/** `key=value` pairs, comma-separated, with percent-encoded values (W3C Baggage). */
function pairs(isPair: (key: string, value: string) => boolean, expected: string) {
  return z.string().transform((text, context): Attributes => {
    const read: Attributes = {}
    for (const part of text.split(',')) {
      if (part.trim() === '') continue
      const [key, value] = readPair(part)
      if (key === '' || value === undefined || !isPair(key, value)) {
        // The value can be a credential.
        context.addIssue({ code: 'custom', message: `must be ${expected}, percent-encoded` })
        return z.NEVER
      }
      read[key] = value
    }
    return read
  })
}

function readPair(part: string): [string, string | undefined] {
  const at = part.indexOf('=')
  if (at === -1) return ['', undefined]
  try {
    return [
      decodeURIComponent(part.slice(0, at).trim()),
      decodeURIComponent(part.slice(at + 1).trim()),
    ]
  } catch {
    return ['', undefined]
  }
}

const isHeader = (name: string, value: string) => TOKEN.test(name) && FIELD_VALUE.test(value)
const isAttribute = (key: string) => key.length <= 200

function headers(description: string) {
  return pairs(isHeader, 'header=value pairs, comma-separated')
    .optional()
    .meta({ description, secret: true, example: '' })
}

function protocol(description: string) {
  return z
    .literal('http/json', {
      error: 'must be http/json: spans are sent as JSON over HTTP, and not by gRPC',
    })
    .optional()
    .meta({ description, example: '' })
}

/** Returns the fault of a setting that has no effect without another one. */
function needs(other: string) {
  return (values: Record<string, string | undefined>) =>
    values[other] ? undefined : `has an effect only with ${other}`
}

/**
 * The setting of the apps at which requests enter. It is none of all apps: an app behind the gateway
 * needs no secret, and instances whose shared settings differ are degraded.
 */
export const traceEntrySettings = {
  TRACE_SECRET: z
    .string()
    .min(32, 'must have at least 32 characters; make one with: openssl rand -base64 32')
    .regex(/^[\x21-\x7e]*$/, 'must be printable ASCII without spaces')
    .optional()
    .meta({
      description:
        'with it, web and the gateway continue the traces of the load balancer of `pnpm start` and of web, and preserve their decision to record them; without it, each of them decides for itself',
      shared: true,
      secret: true,
      example: '',
    }),
}

/**
 * The settings of traces, with the names and values of the OpenTelemetry specification. Their flags
 * never come from a client: see `TRACE_SECRET`.
 */
export const traceSettings = {
  TRACE_SAMPLE_RATE: z.coerce.number().min(0).max(1).default(1).meta({
    description:
      'share of the traces that are recorded, from 0 to 1, decided where a request enters',
    excludes: 'OTEL_TRACES_SAMPLER',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: receiverUrl().refine(hasNoQuery, NO_QUERY).optional().meta({
    description: 'URL of a receiver of OTLP over HTTP; without it no trace is recorded or sent',
    example: '',
  }),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: receiverUrl().optional().meta({
    description:
      'as OTEL_EXPORTER_OTLP_ENDPOINT, with the path, such as http://localhost:4318/v1/traces',
    example: '',
  }),
  OTEL_EXPORTER_OTLP_HEADERS: headers(
    'headers of the requests to the receiver, such as authorization=Bearer%20abc',
  ),
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: headers('as OTEL_EXPORTER_OTLP_HEADERS, which it replaces'),
  OTEL_EXPORTER_OTLP_PROTOCOL: protocol('encoding of traces: http/json is the only one'),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: protocol('as OTEL_EXPORTER_OTLP_PROTOCOL'),
  OTEL_BSP_SCHEDULE_DELAY: z.coerce.number().int().min(100).max(600_000).default(5_000).meta({
    description:
      'how long a span waits in ms, until it is sent with others; above 1000 in whole seconds. 512 spans wait at most 1 s',
  }),
  OTEL_TRACES_EXPORTER: z.enum(['otlp', 'none']).default('otlp').meta({
    description: 'none sends no traces',
  }),
  OTEL_SERVICE_NAME: z.string().max(200).optional().meta({
    description: 'name of this app in traces; by default gateway, auth, payments or web',
    example: '',
  }),
  OTEL_RESOURCE_ATTRIBUTES: pairs(isAttribute, 'key=value pairs, comma-separated').optional().meta({
    description:
      'further attributes of this instance in traces, such as deployment.environment.name=test',
    example: '',
  }),
  OTEL_TRACES_SAMPLER: z.enum(samplers).optional().meta({
    description: 'in place of TRACE_SAMPLE_RATE: the decision to record a trace',
    example: '',
  }),
  OTEL_TRACES_SAMPLER_ARG: z.coerce
    .number('must be a number from 0 to 1')
    .min(0, 'must be a number from 0 to 1')
    .max(1, 'must be a number from 0 to 1')
    .optional()
    .meta({
      description: 'share of the traces that a traceidratio sampler records, from 0 to 1',
      example: '',
      conflict: needs('OTEL_TRACES_SAMPLER'),
    }),
  TRACE_LIBRARIES: z.stringbool().default(false).meta({
    description: 'whether the spans of libraries that use @opentelemetry/api belong to the traces',
  }),
  OTEL_SDK_DISABLED: z.stringbool().default(false).meta({ description: 'true sends no traces' }),
}

export type TraceEnv = z.infer<z.ZodObject<typeof traceSettings>>

/** Returns where traces are sent, or undefined if none are. */
export function traceSettingsOf(env: TraceEnv): TraceSettings | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: exact } = env
  const url = exact ?? (base === undefined ? undefined : `${base.replace(/\/+$/, '')}/v1/traces`)
  if (url === undefined || env.OTEL_SDK_DISABLED || env.OTEL_TRACES_EXPORTER === 'none')
    return undefined
  return {
    url,
    headers: env.OTEL_EXPORTER_OTLP_TRACES_HEADERS ?? env.OTEL_EXPORTER_OTLP_HEADERS,
    serviceName: env.OTEL_SERVICE_NAME,
    attributes: env.OTEL_RESOURCE_ATTRIBUTES,
    delayMs: env.OTEL_BSP_SCHEDULE_DELAY,
  }
}

/** Returns the share of the traces that are recorded, from 0 to 1. */
export function sampleRateOf(env: TraceEnv): number {
  const { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: share } = env
  if (sampler === undefined) return env.TRACE_SAMPLE_RATE
  if (sampler.endsWith('traceidratio')) return share ?? 1
  return sampler.endsWith('always_on') ? 1 : 0
}
