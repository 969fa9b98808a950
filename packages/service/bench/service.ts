/** Measures the cost of an instance for each request, and of a signed identity: `pnpm bench service [--only TEXT]`. */
import { openBench, target } from '@repo/testing/bench'

const bench = await openBench('service', new URL('instance.ts', import.meta.url))
const peer = 'node:http'
await bench.closed({
  title: 'request',
  contenders: ['instance', 'instance without its log', peer],
  peer,
  inFlight: 16,
  targets: (found) => [
    target(
      'id, trace and metrics, µs per request',
      ...([found.difference('instance without its log', 'clientUs'), '<=', 8] as const),
    ),
    target(
      'with the log line, µs per request',
      ...([found.difference('instance', 'clientUs'), '<=', 12] as const),
    ),
  ],
})
await bench.open({ title: 'request', contenders: ['instance', peer], peer })
const sign = 'sign an identity'
await bench.closed({
  title: 'identity',
  contenders: [sign, 'verify an identity'],
  peer: sign,
  inFlight: 1,
})
await bench.close()
