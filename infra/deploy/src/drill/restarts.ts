import { setTimeout as wait } from 'node:timers/promises'
import { underLoad } from '../load/under-load.ts'
import { type Container, containersOf } from '../stack/containers.ts'
import { docker } from '../stack/docker.ts'
import { reloadEdge } from '../stack/edge.ts'
import { expectFlawless, paymentFaults, paymentText, verdict } from './verdicts.ts'

interface Drill {
  requests: number
}

const restart = ({ id }: Container) => docker(['restart', id])

/** Restarts the parts that have one instance, under load. A reload of the edge must lose no request. */
export async function restarts({ requests }: Drill): Promise<void> {
  const reload = await measured('edge', 'reload of the edge', requests, reloadEdge)
  expectFlawless('a reload of the edge loses nothing', reload)
  await bounded('valkey-state', requests)
  await bounded('pgbouncer', requests)
  await bounded('edge', requests)
}

/** Requests fail only in the seconds of the restart, and no payment is made twice. */
async function bounded(service: string, requests: number): Promise<void> {
  const result = await measured(service, `restart of ${service}`, requests, restart)
  const { load, error } = result
  const failures = load.failed.map(({ atMs }) => atMs)
  const lasted = failures.length === 0 ? 0 : Math.max(...failures) - Math.min(...failures)
  verdict(
    `a restart of ${service}: requests fail for at most 5 s, no payment is made twice or lost`,
    error === undefined && lasted <= 5_000 && paymentFaults(result) === 0,
    error ??
      `${failures.length} of ${load.sent} failed, within ${lasted} ms; ${paymentText(result)}`,
  )
}

async function measured(
  service: string,
  name: string,
  requests: number,
  action: (container: Container) => Promise<unknown>,
) {
  const load = { requests: Math.min(requests, 1_000) }
  return underLoad(name, load, async () => {
    const [container] = await containersOf(service)
    if (!container) throw new Error(`${service} does not run`)
    await wait(2_000)
    await action(container)
  })
}
