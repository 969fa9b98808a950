import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { connectDatabase, migrateDatabase } from '@repo/database'
import { test as base } from '@repo/testing'
import {
  type Driver,
  loadProgram,
  openLane,
  prepareDatabase,
  type Program,
} from './drivers.fixture.ts'
import { historyOf, shrink } from './history.fixture.ts'
import { faultOf } from './judge.fixture.ts'
import { World } from './world.fixture.ts'

const SOURCE = path.join(import.meta.dirname, '..')
/** Histories that run at the same time, each with its instances. */
const LANES = 3

interface Checked {
  histories: number
  /** The first history that breaks the model, after the removal of steps that it does not need. */
  failure?: string
}

/** `test` with `check(driver, histories)`, which runs seeded histories until one breaks the model. */
export const test = base
  .extend('stores', { scope: 'file' }, async ({ databaseUrl, redisUrl }, { onCleanup }) => {
    await migrateDatabase({ url: databaseUrl })
    const database = connectDatabase({ url: databaseUrl, name: 'prepare', poolSize: 1 })
    await prepareDatabase(database)
    await database.close()
    onCleanup(() => undefined)
    return { databaseUrl, redisUrl }
  })
  .extend('check', async ({ stores }) => {
    return async (
      driver: Driver,
      { count, seed, folder = SOURCE }: { count: number; seed: number; folder?: string },
    ): Promise<Checked> => {
      const program = await loadProgram(folder)
      const checked: Checked = { histories: 0 }
      const turns = { next: 0, count, seed, checked, shrinks: folder === SOURCE }
      await Promise.all(
        Array.from({ length: LANES }, (_, i) =>
          runLane(turns, { ...stores, driver, program, name: randomUUID(), lane: i }),
        ),
      )
      return checked
    }
  })

interface Turns {
  next: number
  readonly count: number
  readonly seed: number
  readonly checked: Checked
  /** A mutant is only to be caught. */
  readonly shrinks: boolean
}

async function runLane(
  turns: Turns,
  lane: {
    driver: Driver
    program: Program
    name: string
    databaseUrl: string
    redisUrl: string
    lane: number
  },
): Promise<void> {
  const { driver, name } = lane
  const world = new World(
    await openLane({ ...lane, redisDatabase: lane.lane }),
    turns.shrinks ? 30_000 : 2_000,
  )
  try {
    while (turns.next < turns.count && turns.checked.failure === undefined) {
      const seed = turns.seed + turns.next
      turns.next += 1
      const steps = historyOf(seed)
      let runs = 0
      const runHistory = (shorter: typeof steps) => {
        runs += 1
        return faultOf(world, driver, {
          history: `${name}-${seed}-${runs}`,
          seed,
          steps: [...shorter],
        })
      }
      const fault = await runHistory(steps)
      turns.checked.histories += 1
      if (fault === undefined) continue
      // At once: to remove steps takes minutes.
      if (turns.shrinks) process.stdout.write(`${driver}, seed ${seed}: ${fault}\n`)
      const shortest = turns.shrinks
        ? await shrink(steps, fault, (fewer) => runHistory([...fewer]))
        : { steps, fault }
      turns.checked.failure ??= describe({ driver, seed, ...shortest })
    }
  } finally {
    await world.close()
  }
}

function describe(failed: {
  driver: Driver
  seed: number
  steps: readonly (readonly [string, number, number])[]
  fault: string
}): string {
  const steps = failed.steps.map((step) => step.join(' ')).join('; ')
  return `${failed.driver}, seed ${failed.seed}: ${failed.fault}. The shortest history: ${steps}`
}
