import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '@repo/embedded'
import { environmentOf, startStandIn } from '../chain.ts'
import type { Cluster } from '../cluster.ts'
import { endWithProgram } from '../ending.ts'

const GATEWAY = join(import.meta.dirname, '../../../../apps/gateway/src/main.ts')

export interface Misfit extends AsyncDisposable {
  origin: string
}

/**
 * A fourth gateway that has another value of a shared setting, whose output is not read, whose spans have no
 * receiver, and that has one failing instance among those of payments.
 */
export async function startMisfit(cluster: Cluster): Promise<Misfit> {
  const children: ChildProcess[] = []
  const failing = await startStandIn('payments-9', children)
  await failing.behave({ status: 500, delayMs: 0 })
  const [gateway] = cluster.instances('gateway')
  if (!gateway) throw new Error('the cluster has no gateway')
  const payments = cluster.instances('payments').slice(0, 2)
  const [port, closedPort] = [await freePort(), await freePort()]
  const origin = `http://127.0.0.1:${port}`
  const child = spawn(process.execPath, [GATEWAY], {
    // No listener reads stdout, so the pipe fills up.
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      ...environmentOf(gateway.pid),
      PORT: String(port),
      INSTANCE_ID: 'gateway-misfit',
      INSTANCE_URL: '',
      PAYMENTS_URLS: [...payments.map(({ url }) => url), failing.origin].join(','),
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${closedPort}`,
      OTEL_BSP_SCHEDULE_DELAY: '1000',
      TRACE_SAMPLE_RATE: '1',
    },
  })
  children.push(endWithProgram(child))
  while (!(await isReady(origin))) {
    if (child.exitCode !== null) throw new Error('the fourth gateway did not start')
    await wait(100)
  }
  return {
    origin,
    async [Symbol.asyncDispose]() {
      const alive = children.filter(
        ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
      )
      const ended = alive.map((each) => once(each, 'exit'))
      for (const each of alive) each.kill('SIGKILL')
      await Promise.all(ended)
    },
  }
}

async function isReady(origin: string): Promise<boolean> {
  try {
    const response = await fetch(`${origin}/readyz`)
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
