/**
 * Measures a call beside ioredis: `pnpm bench redis [--only TEXT]`. The deadline and the breaker are
 * the difference between `call` and the same command by the client of the connection.
 */
import { openBench, target } from '@repo/testing/bench'

const bench = await openBench('redis', new URL('instance.ts', import.meta.url))
const section = {
  title: 'GET',
  contenders: ['call', 'batch without call', 'bare GET', 'auto-pipelined GET'],
  peer: 'bare GET',
}

for (const inFlight of [1, 64]) {
  await bench.closed({
    ...section,
    inFlight,
    targets: (found) => [
      target(
        `deadline and breaker, ${inFlight} in flight, us`,
        found.difference('call', 'clientUs', 'batch without call'),
        '<=',
        2,
      ),
    ],
  })
}
await bench.open(section)
await bench.highest(section)
await bench.close()
