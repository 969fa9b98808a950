import { setTimeout as wait } from 'node:timers/promises'
import { createClient } from '../load/load-client.ts'
import { APPS, type Container, containersOf, inspect } from '../stack/containers.ts'
import { compose, docker } from '../stack/docker.ts'
import { untilUp } from '../stack/edge.ts'
import { EDGE } from '../stack/env.ts'
import { say } from '../stack/say.ts'
import { verdict } from './verdicts.ts'

const SERVICES = ['postgres', 'pgbouncer', 'valkey-state', 'edge', ...APPS]
const HEALS_WITHIN_MS = 5_000
const GIVE_UP_MS = 60_000
/** The number of consecutive probes that must succeed. */
const GOOD = 5

type Client = ReturnType<typeof createClient>

/**
 * Recreates a container of each service while another container takes its former addresses, and
 * measures how long requests fail after the new container is healthy.
 */
export async function addresses(): Promise<void> {
  const client = createClient(EDGE)
  const cookie = await client.signUp(`addresses-${Date.now()}`)
  for (const service of SERVICES) {
    const before = await containersOf(service)
    const [old] = before
    if (!old) throw new Error(`${service} does not run`)
    await docker(['rm', '-f', old.id])
    const squatters = await occupy(old)
    try {
      const up = ['up', '-d', '--no-deps', '--no-build', '--no-recreate', '--wait', service]
      await docker(compose(up))
      const began = performance.now()
      const ms = await untilHealed(client, cookie, began)
      const app = APPS.find((each) => each === service)
      if (app) await untilUp(`${app}-blue`, before.length)
      const seenMs = Math.round(performance.now() - began)
      const moved = await hasMoved(service, before, old)
      verdict(
        `${service} with another address: requests succeed again within 5 s`,
        moved && ms <= HEALS_WITHIN_MS,
        `${moved ? 'moved' : 'has its old address'}, ${ms} ms after it was healthy, all back after ${seenMs} ms`,
      )
    } finally {
      if (squatters.length > 0) await docker(['rm', '-f', ...squatters])
    }
  }
  client.close()
}

/** Starts containers until they have the addresses of a removed container. Returns their ids. */
async function occupy({ image, addresses: wanted }: Container): Promise<string[]> {
  const squatters: string[] = []
  for (const { network, address } of wanted) {
    for (let taken = false, n = 0; !taken && n < 20; n += 1) {
      const sleep = ['--entrypoint', 'sleep', image, '600']
      const id = (await docker(['run', '-d', '--network', network, ...sleep])).trim()
      squatters.push(id)
      const [squatter] = await inspect([id])
      taken = squatter?.addresses.some((each) => each.address === address) ?? false
    }
  }
  say(`${squatters.length} other containers took the addresses`)
  return squatters
}

async function hasMoved(service: string, before: Container[], old: Container): Promise<boolean> {
  const former = new Set(before.map(({ id }) => id))
  const newcomer = (await containersOf(service)).find(({ id }) => !former.has(id))
  const formerAddresses = new Set(old.addresses.map(({ address }) => address))
  return newcomer?.addresses.every(({ address }) => !formerAddresses.has(address)) ?? false
}

/** The time from `began` to the first of several consecutive probes that succeed, in ms. */
async function untilHealed(client: Client, cookie: string, began: number): Promise<number> {
  let good = 0
  let since = 0
  while (good < GOOD && performance.now() - began < GIVE_UP_MS) {
    const at = Math.round(performance.now() - began)
    if (await works(client, cookie)) {
      if (good === 0) since = at
      good += 1
    } else good = 0
    await wait(50)
  }
  return good < GOOD ? Infinity : since
}

async function works(client: Client, cookie: string): Promise<boolean> {
  const reference = `addresses-${Date.now()}-${Math.random()}`
  const answers = await Promise.all([
    client.get('/sign-in', ''),
    client.get('/api/auth/get-session', cookie),
    client.get('/api/payments', cookie),
    client.pay(cookie, reference, reference),
  ])
  return answers.map(({ status }) => status).join() === '200,200,200,201'
}
