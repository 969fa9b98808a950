import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@playwright/test'
import {
  clusterTargets,
  findTools,
  type Prometheus,
  quickenRules,
  startPrometheus,
} from '@repo/monitoring/prometheus'
import { instancesOf, IS_IN_CONTAINERS, STATE, storeOf } from '../cluster.ts'

const RULES = join(import.meta.dirname, '../../infra/observability/rules.yml')
const PORT = 8190
/** Windows and `for` of the rules are 30 times shorter. `pnpm chaos alerts` does the same for every alert. */
const FACTOR = 30

/** The labels of the alerts with a name that fire. */
async function firing(prometheus: Prometheus, name: string): Promise<Record<string, string>[]> {
  const alerts = await prometheus.alerts()
  return alerts
    .filter((alert) => alert.name === name && alert.state === 'firing')
    .map(({ labels }) => labels)
}

/** Stops a process, waits until each alert fires, and continues the process. */
async function breakUntil(prometheus: Prometheus, pid: number, names: string[]): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  try {
    for (const name of names) {
      await expect
        .poll(() => firing(prometheus, name), { timeout: 40_000, message: name })
        .not.toEqual([])
    }
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  for (const name of names) {
    await expect
      .poll(() => firing(prometheus, name), { timeout: 40_000, message: name })
      .toEqual([])
  }
}

test('a Prometheus with the rules fires for a stopped instance and for a Redis that hangs, and resolves', async () => {
  test.setTimeout(240_000)
  const tools = IS_IN_CONTAINERS ? undefined : await findTools('prometheus')
  test.skip(
    tools === undefined,
    'needs the embedded cluster, and Prometheus from the packages of Debian',
  )
  await using prometheus = await startPrometheus({
    tools: tools ?? '',
    port: PORT,
    jobs: [{ name: 'threefold', targets: clusterTargets(join(STATE, 'cluster.json')) }],
    rules: quickenRules(readFileSync(RULES, 'utf8'), FACTOR),
    intervalMs: 1_000,
  })
  await expect
    .poll(async () => (await prometheus.query('count(up{job="threefold"} == 1)'))[0]?.value)
    .toBe(13)
  const [instance] = instancesOf('payments')
  await breakUntil(prometheus, instance!.pid, ['InstanceMissing'])
  await breakUntil(prometheus, storeOf('valkey'), ['RedisBreakerOpen', 'BusDeaf'])
})
