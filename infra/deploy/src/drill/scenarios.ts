import { setTimeout as wait } from 'node:timers/promises'
import { underLoad } from '../load/under-load.ts'
import { finishGreen, shift, startGreen } from '../release/green.ts'
import { rollTo } from '../release/rolling-change.ts'
import type { App } from '../stack/containers.ts'
import { addresses } from './addresses.ts'
import { appliesSecret, appliesSetting, rotates } from './applied-changes.ts'
import { connections, killed, postgresRestarted, redisHangs } from './faults.ts'
import type { Releases } from './releases.ts'
import { restarts } from './restarts.ts'
import { shortage } from './shortage.ts'
import { expectFlawless, verdict } from './verdicts.ts'

interface Drill {
  /** The least number of requests under each change. */
  requests: number
  apps: readonly App[]
  releases: Releases
}

/** The duration of each step of a canary. */
const WATCH_MS = 5_000

async function rolling({ requests, apps, releases }: Drill) {
  const tag = await releases.next()
  const result = await underLoad(`rolling change of ${apps.join(', ')}`, { requests }, async () => {
    for (const app of apps) {
      const { outcome } = await rollTo(app, tag)
      if (outcome === 'aborted') throw new Error(`${app} was not rolled`)
    }
  })
  expectFlawless(`a rolling change of ${apps.join(', ')} loses nothing`, result)
}

async function badRelease({ releases }: Drill) {
  const crashing = await releases.crashing('payments')
  const outcomes: string[] = []
  const result = await underLoad('bad release', { requests: 1_000 }, async () => {
    outcomes.push((await rollTo('payments', crashing)).outcome)
  })
  verdict('a bad release aborts by itself', outcomes[0] === 'aborted', outcomes.join())
  expectFlawless('a bad release fails no request', result)
}

async function blueGreen({ requests, apps, releases }: Drill) {
  const tag = await releases.next()
  const result = await underLoad('blue-green', { requests }, async () => {
    await startGreen(tag, apps)
    await shift(100)
    await wait(WATCH_MS)
    await finishGreen(tag, apps)
  })
  expectFlawless('blue-green loses nothing', result)
}

async function canary({ requests, apps, releases }: Drill) {
  const tag = await releases.next()
  const result = await underLoad('canary', { requests }, async () => {
    await startGreen(tag, apps)
    for (const percent of [10, 50, 100]) {
      await shift(percent)
      await wait(WATCH_MS)
    }
    await finishGreen(tag, apps)
  })
  expectFlawless('a canary of 10, 50 and 100 % loses nothing', result)
}

export const scenarios: Record<string, (drill: Drill) => Promise<void>> = {
  rolling,
  'bad-release': badRelease,
  'blue-green': blueGreen,
  canary,
  killed,
  'redis-hangs': redisHangs,
  'postgres-restarts': postgresRestarted,
  connections,
  addresses,
  apply: appliesSecret,
  setting: appliesSetting,
  rotate: rotates,
  restarts,
  shortage,
}
