import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { InstancePlan } from './cluster/topology.ts'
import { checkPorts, checkTools, PreflightError } from './machine/preflight.ts'
import { claimState } from './processes/ownership.ts'
import { endOrphans, type ProcessTable } from './processes/process-table.ts'
import { runOnce } from './processes/program.ts'
import type { Lock } from './state/lock.ts'
import { prepareState, ROOT } from './state/state.ts'
import { describeDatabase } from './stores/describe-url.ts'
import type { Options } from './terminal/options.ts'
import type { Progress } from './terminal/progress.ts'

/**
 * Checks the machine, and takes the state: nothing is written or deleted before.
 *
 * @throws PreflightError before anything is started
 */
export async function prepare(
  options: Options,
  plans: readonly InstancePlan[],
  { progress, onClaim }: { progress: Progress; onClaim: (lock: Lock) => void },
): Promise<void> {
  await progress.step('tools', async (describe) => {
    const file = join(ROOT, '.env')
    if (existsSync(file)) process.loadEnvFile(file)
    const version = checkTools()
    checkFresh(options)
    onClaim(claimState())
    const ended = await endOrphans(describe)
    await checkPorts(options, plans)
    await prepareState(options)
    const orphans = ended.length > 0 ? `; ended ${ended.length} orphans of a killed start` : ''
    return { note: `Node.js ${version}${orphans}`, value: undefined }
  })
}

function checkFresh({ fresh }: Options) {
  const given = process.env['DATABASE_URL']
  if (!fresh || !given) return
  throw new PreflightError(
    `--fresh empties only the embedded database, and DATABASE_URL names ${describeDatabase(given)}: leave out --fresh, or unset DATABASE_URL`,
  )
}

/** Brings the schema up to date and makes the demo accounts, where they are wanted. */
export async function prepareData(
  env: Record<string, string>,
  { progress, processes }: { progress: Progress; processes: ProcessTable },
): Promise<void> {
  await progress.step('data', async () => {
    const check = join(ROOT, 'packages/service/src/settings/check-redis.ts')
    const seed = join(ROOT, 'apps/auth/src/seed.ts')
    await Promise.all([
      runOnce({ name: 'check-redis', args: [check], env }, processes),
      runOnce({ name: 'seed', args: [seed], env }, processes),
    ])
    const note =
      env['DEMO'] === 'true'
        ? 'migrated and seeded'
        : 'migrated; no demo accounts (--seed-demo makes them)'
    return { note, value: undefined }
  })
}
