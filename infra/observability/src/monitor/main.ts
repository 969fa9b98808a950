import { monitor } from './monitor.ts'

const stopping = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopping.abort())

// 1 is a crossed threshold, so each other end is 2: also one whose reader has gone (EPIPE).
const UNREADABLE = 2
for (const stream of [process.stdout, process.stderr]) {
  stream.once('error', () => process.exit(UNREADABLE))
}
try {
  process.exitCode = await monitor(process.argv.slice(2), {
    env: process.env,
    out: (text) => process.stdout.write(text),
    error: (text) => process.stderr.write(text),
    signal: stopping.signal,
  })
} catch (error) {
  process.exitCode = UNREADABLE
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
}
