/**
 * The instance processes of the bench: an endpoint of Hono alone, behind our middleware and behind
 * its peers, and a transaction of PostgreSQL. WORKLOAD names the requests, DATABASE_URL a database
 * with the tables of the bench.
 */
import { type OpenContender, serveContenders } from '@repo/testing/bench'
import { openLock, openOurs, openTiered } from './ours.ts'
import { peers } from './peers.ts'
import { createPayments, workloadOf } from './requests.ts'
import { openBare, openThreeCommits } from './transactions.ts'

const behind =
  (open: (typeof peers)[string]): OpenContender =>
  async ({ redisUrl }) => {
    const { middleware, close } = await open(redisUrl)
    const payments = createPayments(workloadOf(process.env['WORKLOAD'] ?? ''), middleware)
    await payments.prepare()
    return { run: payments.run, close }
  }

serveContenders({
  ours: behind(openOurs),
  'Hono alone': () => createPayments('first'),
  ...Object.fromEntries(Object.entries(peers).map(([name, open]) => [name, behind(open)])),
  'bare transaction': openBare,
  'ours, two tiers': openTiered,
  'ours, lock': openLock,
  'claim, run, complete': openThreeCommits,
})
