import { claimIdOf } from '../fingerprint.ts'
import { DRIVERS, type Driver } from './drivers.fixture.ts'
import { CLIENTS, type Step } from './history.fixture.ts'
import type { Client, World } from './world.fixture.ts'

const ANSWERED = new Set(['fresh', 'replayed', 'waited'])
/** The steps after which a tier without transactions can run work again. */
const AGAIN = new Set(['lose', 'crash', 'expire', 'flush', 'down'])

/** Runs a history, and returns the first fault that it finds. */
export async function faultOf(
  world: World,
  driver: Driver,
  run: { history: string; seed: number; steps: readonly Step[] },
): Promise<string | undefined> {
  await world.begin(run.history, run.seed)
  const { violations } = world.reference
  for (const step of run.steps) {
    await world.take(step)
    if (violations.length > 0) return finish(world, violations[0])
  }
  try {
    const retries: Client[] = []
    if (run.steps.some(([kind]) => AGAIN.has(kind))) {
      // A retry after the end of the leases makes progress, although the other instances hang.
      retries.push(...(await retry(world, await world.openOne())))
    }
    await world.openAll()
    retries.push(...(await retry(world, 0)))
    return violations[0] ?? (await judge(world, driver, run, retries))
  } catch (error) {
    return finish(world, violations[0] ?? String(error))
  }
}

/** Ends what a failed history leaves behind. */
async function finish(world: World, fault: string | undefined): Promise<string | undefined> {
  await world.abandon()
  return fault
}

async function retry(world: World, instance: number): Promise<Client[]> {
  const clients: Client[] = []
  for (const request of [CLIENTS[0], CLIENTS[5], CLIENTS[6]]) {
    clients.push(await world.ask(instance, request))
  }
  const [first, second] = clients
  if (first?.end?.outcome === 'mismatch' && second?.end?.outcome === 'mismatch') {
    throw new Error('both requests with key 0 returned mismatch')
  }
  return clients
}

async function judge(
  world: World,
  driver: Driver,
  { history, steps }: { history: string; steps: readonly Step[] },
  retries: readonly Client[],
): Promise<string | undefined> {
  for (const { id, end, key } of retries) {
    const outcome = end?.outcome ?? 'nothing'
    const isProgress = ANSWERED.has(outcome) || (outcome === 'mismatch' && key === 0)
    if (!isProgress) return `the retry ${id} after all leases had ended returned ${outcome}`
  }
  for (const client of world.clients) {
    if (client.runs > 1) return `the work of ${client.id} ran ${client.runs} times`
    if (client.end?.outcome !== 'unavailable') continue
    const hasEffect = (await world.effectsOf(client)).length > 0
    if (hasEffect && !client.end.hasEffect) return `${client.id} had its effect after "unavailable"`
  }
  for (const key of [0, 1]) {
    const fault = await judgeKey(world, driver, { key, history, steps })
    if (fault !== undefined) return `key ${key}: ${fault}`
  }
  return undefined
}

async function judgeKey(
  world: World,
  driver: Driver,
  { key, history, steps }: { key: number; history: string; steps: readonly Step[] },
): Promise<string | undefined> {
  const answered = world.clients.filter(
    ({ key: used, end, work }) =>
      used === key && end && ANSWERED.has(end.outcome) && isFinal(end, work),
  )
  const effects = await world.effectsOf({ key })
  const isOnce = world.mode === 'transaction' || !steps.some(([kind]) => AGAIN.has(kind))
  if (isOnce && effects.length > 1) return `the effects ${effects.join(', ')}`
  if (answered.length > 0 && effects.length === 0) return 'a response without an effect'
  const isUndecided = world.reference.isUndecided(claimIdOf(history, `key-${key}`))
  if (world.mode === 'plain' && isUndecided) return undefined
  const isLosing = DRIVERS[driver].flush === 'all'
  const groups = Map.groupBy(answered, ({ flushes }) => (isLosing ? flushes : 0))
  for (const group of groups.values()) {
    const compared = group.filter(({ end }) => !(isLosing && end?.isAfterFlush))
    const bytes = new Set(compared.map(({ end }) => end?.bytes))
    if (bytes.size > 1) return `the responses ${[...bytes].join(', ')}`
    const [response] = bytes
    if (response !== undefined && !effects.includes(response)) return `no effect of ${response}`
  }
  return undefined
}

/** A response that is not stored is final for nobody. */
function isFinal(end: NonNullable<Client['end']>, work: Client['work']): boolean {
  return end.outcome !== 'fresh' || work === 'ends'
}
