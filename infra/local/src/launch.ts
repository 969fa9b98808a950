import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Cluster, createCluster } from './cluster.ts'
import { sharedEnvironment } from './environment.ts'
import type { Options } from './options.ts'
import { checkPorts, checkTools, PreflightError } from './preflight.ts'
import { endOrphans, endRemaining, remember, runningLauncher } from './processes.ts'
import { createProgress, type Progress } from './progress.ts'
import { localSecrets, prepareState, ROOT } from './state.ts'
import { type Stores, startStores } from './stores.ts'
import { instanceTable, nextSteps } from './summary.ts'
import { BootError, runOnce } from './supervise.ts'
import { type InstancePlan, planInstances } from './topology.ts'
import { buildWeb } from './web-build.ts'

/** The accounts that `apps/auth/src/seed.ts` makes. */
const DEMO = {
  user: 'ada@threefold.test',
  admin: 'grace@threefold.test',
  password: 'three-of-everything',
}

/** Runs a cluster until it is told to stop. What cannot start says why in one line, and exits 1. */
export async function launch(options: Options): Promise<void> {
  const progress = createProgress(options)
  const plans = planInstances(options)
  let stores: Stores | undefined
  let cluster: Cluster | undefined
  let stopping = false

  async function stop(code: number): Promise<never> {
    // A second Ctrl-C: whoever asks twice does not want to wait for the drain.
    if (stopping) process.exit(130)
    stopping = true
    progress.text('\n  Stopping: draining every instance, then the stores …')
    await cluster?.stop()
    await stores?.stop()
    await endRemaining()
    progress.text('  Stopped.')
    progress.data({ event: 'stopped' })
    process.exit(code)
  }
  process.on('SIGINT', () => void stop(0))
  process.on('SIGTERM', () => void stop(0))

  try {
    progress.text('\n  Threefold: three of everything\n')
    await prepare(options, plans, progress)
    const secrets = localSecrets()
    stores = await startStores({
      password: secrets['POSTGRES_PASSWORD'] ?? '',
      progress,
      onRestart: () => cluster?.publish(),
    })
    const env = sharedEnvironment(options, plans, stores, secrets)
    await prepareData(env, progress)
    await progress.step('web', async () => {
      const outcome = await buildWeb(env)
      return { note: outcome === 'built' ? 'built' : 'its build is up to date', value: outcome }
    })
    cluster = createCluster({ plans, edgePort: options.port, env, stores, progress })
    await cluster.start()
  } catch (error) {
    if (stopping) return
    progress.fault(error instanceof Error ? error.message : String(error))
    const expected = error instanceof BootError || error instanceof PreflightError
    if (!expected && error instanceof Error) process.stderr.write(`${error.stack}\n`)
    await stop(1)
    return
  }

  const instances = cluster.instances()
  const edge = `http://localhost:${options.port}`
  progress.text(`\n${instanceTable(instances)}`)
  progress.text(nextSteps({ edge, ...DEMO, victim: instances[0]?.pid ?? 0 }))
  progress.data({ event: 'ready', edge, instances })
}

/** @throws PreflightError before anything is started */
async function prepare(options: Options, plans: readonly InstancePlan[], progress: Progress) {
  await progress.step('tools', async () => {
    const file = join(ROOT, '.env')
    if (existsSync(file)) process.loadEnvFile(file)
    const version = checkTools()
    const other = runningLauncher()
    if (other !== undefined) {
      throw new PreflightError(
        `a cluster runs here already (process ${other}): stop it with Ctrl-C`,
      )
    }
    prepareState(options)
    const ended = await endOrphans()
    remember('launcher', process.pid)
    await checkPorts(options.port, plans)
    const orphans = ended.length > 0 ? `; ended ${ended.length} orphans of a killed start` : ''
    return { note: `Node.js ${version}${orphans}`, value: undefined }
  })
}

async function prepareData(env: Record<string, string>, progress: Progress) {
  await progress.step('data', async () => {
    const check = join(ROOT, 'packages/redis/src/check.ts')
    const seed = join(ROOT, 'apps/auth/src/seed.ts')
    await Promise.all([
      runOnce({ name: 'check-redis', args: [check], env }),
      runOnce({ name: 'seed', args: [seed], env }),
    ])
    return { note: 'migrated and seeded', value: undefined }
  })
}
