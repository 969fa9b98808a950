import type { Log } from '@repo/observability'
import { type Cluster, createCluster } from './cluster/cluster.ts'
import { hasDemoData, sharedEnvironment } from './cluster/environment.ts'
import { edgeMetricsPort, planInstances, publicHost } from './cluster/topology.ts'
import { buildWeb } from './cluster/web-build.ts'
import { whenRunnerEnds } from './machine/ancestors.ts'
import { PreflightError } from './machine/preflight.ts'
import { prepare, prepareData } from './prepare.ts'
import { createClusterGuard } from './processes/cluster-guard.ts'
import { createProcessTable, STORES } from './processes/process-table.ts'
import { BootError } from './processes/program.ts'
import type { Lock } from './state/lock.ts'
import { localSecrets } from './state/state.ts'
import { type Stores, startStores } from './stores/stores.ts'
import { openLauncherLog } from './terminal/launcher-log.ts'
import type { Options } from './terminal/options.ts'
import { createProgress } from './terminal/progress.ts'
import { instanceTable, nextSteps } from './terminal/summary.ts'

/**
 * Runs a cluster until a signal stops it, or the program that started it ends. A fault is one line on
 * stderr and exit code 1.
 */
export async function launch(options: Options): Promise<void> {
  let log: Log | undefined
  const progress = createProgress({
    json: options.json,
    record: (level, fields, message) => log?.[level](fields, message),
  })
  const plans = planInstances(options)
  const guard = createClusterGuard({ unwatched: new Set([...STORES, 'launcher']) })
  const processes = createProcessTable(guard)
  /** Held until this process ends. Without them, nothing is written and nothing is deleted. */
  const locks: Lock[] = []
  let stores: Stores | undefined
  let cluster: Cluster | undefined
  let stopping = false

  async function stop(code: number): Promise<never> {
    // The second Ctrl-C: the guard ends what still drains.
    if (stopping) process.exit(130)
    stopping = true
    if (locks.length > 0) {
      log?.info({ event: 'drain' }, 'stopping')
      progress.text('\n  Stopping: draining every instance, then the stores …')
      // One part that cannot be stopped does not keep the others.
      for (const part of [() => cluster?.stop(), () => stores?.stop(), () => processes.endAll()]) {
        try {
          await part()
        } catch (error) {
          progress.fault(`stopping: ${String(error)}`)
        }
      }
      progress.text('  Stopped.')
      log?.info({ event: 'exit' }, 'stopped')
      progress.data({ event: 'stopped' })
    }
    guard.release()
    process.exit(code)
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => void stop(0))
  }
  whenRunnerEnds((pid) => {
    if (stopping) return
    progress.event(`the program that started this one (process ${pid}) has ended`)
    void stop(0)
  })

  try {
    progress.text('\n  Threefold: three of everything\n')
    await prepare(options, plans, { progress, onClaim: (lock) => locks.push(lock) })
    log = openLauncherLog()
    processes.add('launcher', process.pid)
    const secrets = localSecrets()
    stores = await startStores({
      password: secrets['POSTGRES_PASSWORD'] ?? '',
      progress,
      processes,
      endAfter: guard.pid,
      onRestart: () => cluster?.publish(),
    })
    const env = sharedEnvironment(options, plans, stores, secrets)
    await prepareData(env, { progress, processes })
    await progress.step('web', async (describe) => {
      const { outcome, lock } = await buildWeb(env, { processes, describe })
      locks.push(lock)
      return { note: outcome === 'built' ? 'built' : 'its build is up to date', value: undefined }
    })
    const ports = { edgePort: options.port, metricsPort: edgeMetricsPort(options) }
    cluster = createCluster({ plans, ...ports, env, stores, processes, progress })
    await cluster.start()
  } catch (error) {
    if (stopping) return
    report(error)
    await stop(1)
    return
  }

  function report(error: unknown) {
    const isExpected = error instanceof BootError || error instanceof PreflightError
    const message = error instanceof Error ? error.message : String(error)
    progress.fault(isExpected ? message : message.trim().replaceAll(/\s*\n\s*/g, ' | '))
    // A defect of the launcher, not of the machine.
    const isDefect = error instanceof TypeError || error instanceof ReferenceError
    if (isDefect && error.stack) process.stderr.write(`${error.stack}\n`)
  }

  const instances = cluster.instances()
  const edge = `http://${publicHost}:${options.port}`
  const demo = hasDemoData(options, stores)
  progress.text(`\n${instanceTable(instances)}`)
  progress.text(nextSteps({ edge, demo, victim: instances[0]?.pid ?? 0 }))
  progress.data({ event: 'ready', edge, instances })
}
