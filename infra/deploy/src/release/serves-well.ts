import { setTimeout as wait } from 'node:timers/promises'
import { type App, serviceOf } from '@repo/services'
import type { Container } from '../stack/containers.ts'
import { HEALTHY_WITHIN_S, SERVES_WITHIN_MS } from '../stack/env.ts'

const ROUNDS = 5
/** The number of concurrent requests of a round. They open the connections that a load needs. */
const AT_ONCE = 5
const BETWEEN_ROUNDS_MS = 100

/**
 * Waits until an instance serves well: 50 consecutive requests, half of them to its stores, receive the
 * expected response within `SERVES_WITHIN_MS`. Readiness shows only that the instance has started.
 * @throws Error with the last reason when it does not within the deadline
 */
export async function untilServesWell(app: App, { instance, hostPort }: Container): Promise<void> {
  if (hostPort === undefined) throw new Error(`${instance} publishes no port`)
  const base = `http://127.0.0.1:${hostPort}`
  const giveUpAt = performance.now() + HEALTHY_WITHIN_S * 1_000
  for (let good = 0; good < ROUNDS;) {
    const reason = await runRound(base, serviceOf(app).probe)
    good = reason === undefined ? good + 1 : 0
    if (reason !== undefined && performance.now() > giveUpAt) {
      throw new Error(`${instance} does not serve well: ${reason}`)
    }
    await wait(BETWEEN_ROUNDS_MS)
  }
}

/** @returns the reason why the instance does not serve well; undefined when it does */
async function runRound(base: string, probe: { path: string; status: number }) {
  const requests = Array.from({ length: AT_ONCE }, () => [
    ask(`${base}${probe.path}`, probe.status),
    askStores(base),
  ])
  const reasons = await Promise.all(requests.flat())
  return reasons.find((reason) => reason !== undefined)
}

async function ask(url: string, expected: number): Promise<string | undefined> {
  return answer(url, async (response) => {
    await response.arrayBuffer()
    return response.status === expected ? undefined : `status ${response.status}`
  })
}

/** `/health` checks each store. Settings that differ from those of other instances are no fault here. */
async function askStores(base: string): Promise<string | undefined> {
  return answer(`${base}/health`, async (response) => {
    const { services = {} }: { services?: Record<string, string> } = JSON.parse(
      await response.text(),
    )
    const bad = Object.keys(services).filter((name) => services[name] !== 'healthy')
    return bad.length === 0 ? undefined : `${bad.join(' and ')} unhealthy`
  })
}

async function answer(url: string, check: (response: Response) => Promise<string | undefined>) {
  const { pathname } = new URL(url)
  const began = performance.now()
  try {
    const reason = await check(await fetch(url, { signal: AbortSignal.timeout(10_000) }))
    const tookMs = Math.round(performance.now() - began)
    if (reason !== undefined) return `${pathname}: ${reason}`
    return tookMs > SERVES_WITHIN_MS ? `${pathname}: answered after ${tookMs} ms` : undefined
  } catch (error) {
    return `${pathname}: ${error instanceof Error ? error.message : String(error)}`
  }
}
