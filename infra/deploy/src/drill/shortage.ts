import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { underLoad } from '../load/under-load.ts'
import { rollTo } from '../release/rolling-change.ts'
import type { App } from '../stack/containers.ts'
import { containersOf } from '../stack/containers.ts'
import type { Releases } from './releases.ts'
import { paymentFaults, paymentText, verdict } from './verdicts.ts'

interface Drill {
  requests: number
  apps: readonly App[]
  releases: Releases
}

const BUSY_PER_PROCESSOR = 2
const RATE_PER_SECOND = 30
/** The limit for 1,000 requests. */
const MAY_FAIL = 10

/**
 * A rolling change while other processes keep every processor busy: it takes longer, and requests wait.
 * The change must end, and the number of instances never falls.
 */
export async function shortage({ requests, apps, releases }: Drill): Promise<void> {
  const tag = await releases.next()
  const spin = ['-e', 'setTimeout(() => process.exit(), 600_000); for (;;) Math.random()']
  const busy = Array.from({ length: availableParallelism() * BUSY_PER_PROCESSOR }, () =>
    spawn(process.execPath, spin, { stdio: 'ignore' }),
  )
  const counts: string[] = []
  try {
    const load = { requests: Math.min(requests, 1_000), ratePerSecond: RATE_PER_SECOND }
    const result = await underLoad('rolling change on busy processors', load, async () => {
      for (const app of apps) {
        const before = (await containersOf(app)).length
        const { outcome } = await rollTo(app, tag)
        const after = (await containersOf(app)).length
        counts.push(`${app} ${outcome}, ${before} and then ${after} instances`)
        if (after < before) throw new Error(`${app} has fewer instances than before`)
      }
    })
    const { failed, sent } = result.load
    verdict(
      'on busy processors a rolling change ends, and at most 1 % of the requests fail',
      result.error === undefined &&
        failed.length * 1_000 <= sent * MAY_FAIL &&
        paymentFaults(result) === 0,
      result.error ??
        `${failed.length} of ${sent} failed; ${paymentText(result)}; ${counts.join('; ')}`,
    )
  } finally {
    for (const child of busy) child.kill('SIGKILL')
  }
}
