import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startLoad } from './load/load.ts'
import { checkPayments } from './load/payments-made.ts'
import { report } from './load/report.ts'
import { EDGE } from './stack/env.ts'

/** `load-main.ts [--seconds 30] [--rate 100] [--unkeyed]`: mixed traffic, then what came of it. */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    rate: { type: 'string', default: '100' },
    unkeyed: { type: 'boolean', default: false },
  },
})
const { seconds, rate, unkeyed } = values
const load = await startLoad({ edge: EDGE, ratePerSecond: Number(rate), keyed: !unkeyed })
await wait(Number(seconds) * 1_000)
const result = await load.stop()
report('load', result, await checkPayments(result.run, result.paid))
if (result.failed.length > 0) process.exitCode = 1
