/**
 * The receiver of the traces of the cluster, at port 8197. Port 8198 responds with the last spans and the
 * received bytes, as JSON.
 */
import { createServer } from 'node:http'
import { startTraceReceiver } from '@repo/testing/otlp'
import { RECEIVER_PORT, TRACES_PORT } from './traces.ts'

const receiver = await startTraceReceiver(RECEIVER_PORT)
const { spans, requests } = receiver

// The specs run for many minutes.
setInterval(() => {
  spans.splice(0, Math.max(0, spans.length - 20_000))
  requests.splice(0, Math.max(0, requests.length - 500))
}, 1_000)

createServer((_req, res) => {
  const all = spans.map(({ traceId, spanId, parentSpanId, name, kind, instance }) => ({
    ...{ traceId, spanId, parentSpanId, name, kind, instance },
  }))
  res.end(JSON.stringify({ spans: all, bytes: requests.map(({ body }) => body).join('\n') }))
}).listen(TRACES_PORT, '127.0.0.1')
