import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { text } from 'node:stream/consumers'
import { until } from '../until.ts'

type Attributes = Record<string, string | number | boolean>

interface JsonAttribute {
  key: string
  value: { stringValue?: string; intValue?: string; doubleValue?: number; boolValue?: boolean }
}

interface JsonSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes?: JsonAttribute[]
  status?: { code: number }
  links?: { traceId: string; spanId: string }[]
}

interface JsonBody {
  resourceSpans: {
    resource: { attributes: JsonAttribute[] }
    scopeSpans: { spans: JsonSpan[] }[]
  }[]
}

export interface ReceivedSpan {
  traceId: string
  spanId: string
  parentSpanId: string | undefined
  name: string
  /** The number in OTLP: 2 is a server, 3 is a client. */
  kind: number
  startNs: bigint
  endNs: bigint
  isError: boolean
  attributes: Attributes
  /** The attribute `service.instance.id`. */
  instance: string
  /** The attributes of the instance. */
  resource: Attributes
  links: { traceId: string; spanId: string }[]
}

/** `hang`: accepts requests and sends no response. A function sends the response itself. */
export type ReceiverBehaviour = 'accept' | 'hang' | number | ((res: ServerResponse) => void)

/** A receiver of OTLP over HTTP with JSON, for tests. */
export interface TraceReceiver extends AsyncDisposable {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  url: string
  /** The spans of all accepted requests. */
  spans: ReceivedSpan[]
  /** The requests as received, also those that were not accepted. */
  requests: { atMs: number; path: string; headers: IncomingHttpHeaders; body: string }[]
  /** Changes how requests are answered from now on; a number is the status. */
  behave(behaviour: ReceiverBehaviour): void
  /** Waits until a span with this name has arrived, and returns the spans of its trace. */
  traceWith(name: string): Promise<ReceivedSpan[]>
  close(): Promise<void>
}

/** Starts a receiver of traces on a port of this machine. */
export async function startTraceReceiver(port = 0): Promise<TraceReceiver> {
  const spans: ReceivedSpan[] = []
  const requests: TraceReceiver['requests'] = []
  let behaviour: ReceiverBehaviour = 'accept'
  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const atMs = performance.now()
    const body = await text(req)
    requests.push({ atMs, path: req.url ?? '', headers: req.headers, body })
    if (behaviour === 'hang') return
    if (typeof behaviour === 'function') return behaviour(res)
    if (typeof behaviour === 'number') return void res.writeHead(behaviour).end()
    spans.push(...read(JSON.parse(body)))
    res.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  }

  // A sender that gives up ends its connection.
  const server = createServer((req, res) => void serve(req, res).catch(() => res.destroy()))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('not listening on TCP')

  async function close(): Promise<void> {
    if (!server.listening) return
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }

  return {
    url: `http://127.0.0.1:${address.port}`,
    spans,
    requests,
    behave(next) {
      behaviour = next
    },
    async traceWith(name) {
      const found = await until(() => spans.find((span) => span.name === name))
      return spans.filter(({ traceId }) => traceId === found.traceId)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function read({ resourceSpans }: JsonBody): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const attributes = readAttributes(resource.attributes)
    return scopeSpans.flatMap((scope) => scope.spans.map((span) => readSpan(span, attributes)))
  })
}

function readSpan(span: JsonSpan, resource: Attributes): ReceivedSpan {
  const { traceId, spanId, parentSpanId, name, kind, links = [] } = span
  return {
    ...{ traceId, spanId, parentSpanId, name, kind, links, resource },
    startNs: BigInt(span.startTimeUnixNano),
    endNs: BigInt(span.endTimeUnixNano),
    isError: span.status?.code === 2,
    attributes: readAttributes(span.attributes ?? []),
    instance: String(resource['service.instance.id']),
  }
}

function readAttributes(attributes: readonly JsonAttribute[]): Attributes {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const { stringValue, intValue, doubleValue, boolValue } = value
      const number = intValue === undefined ? doubleValue : Number(intValue)
      return [key, stringValue ?? number ?? boolValue ?? '']
    }),
  )
}
