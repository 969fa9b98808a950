import { fileURLToPath } from 'node:url'
import { copyMutant, type Edit, expect } from '@repo/testing'
import type { Mode, Point } from './payer.fixture.ts'
import {
  findFaults,
  freeze,
  kill,
  loseWhileRunning,
  MODES,
  newKey,
  ONE,
  payAll,
  ROOT,
  takeOver,
  test,
  type World,
} from './payers.fixture.ts'

function report(what: string, verdict: object) {
  process.stdout.write(`${what}: ${JSON.stringify(verdict)}\n`)
}

const KILLED: [Mode, Point | 'completed'][] = MODES.flatMap((mode) =>
  (['claimed', 'uncommitted', 'committed', 'completed'] as const).map(
    (point): [Mode, Point | 'completed'] => [mode, point],
  ),
)

test.for(KILLED)(
  'in the mode %s, a payment whose instance is killed when it is %s is made once, and has one response',
  async ([mode, point], { open }) => {
    const verdict = await kill(await open({ mode }), point)
    expect(verdict).toEqual(ONE)
  },
)

const FROZEN: [Mode, Point][] = MODES.flatMap((mode) =>
  (['claimed', 'uncommitted', 'committed'] as const).map((point): [Mode, Point] => [mode, point]),
)

test.for(FROZEN)(
  'in the mode %s, a payment whose instance is frozen past its lease when it is %s is made once, and has one response',
  async ([mode, point], { open }) => {
    const leaseMs = 1_500
    const { waitedMs, ...verdict } = await freeze(await open({ mode, leaseMs }), point)
    report(`frozen, ${mode}, ${point}`, { leaseMs, waitedMs })
    expect(verdict).toEqual(ONE)
  },
)

test.for(MODES)(
  'in the mode %s, a holder that was taken over is refused while its successor runs',
  async (mode, { open }) => {
    const { zombie, ...verdict } = await takeOver(
      await open({ mode }),
      mode === 'lock' ? 'claimed' : 'begun',
    )
    expect(zombie).not.toBe('fresh')
    expect(verdict).toEqual(ONE)
  },
)

test.for(MODES)(
  'in the mode %s, 100 concurrent requests of each of 10 keys on each of three instances make 10 payments',
  async (mode, { open }) => {
    const world = await open({ mode, count: 3, leaseMs: 60_000 })
    const keys = Array.from({ length: 10 }, newKey)
    const results = await payAll(world, { keys, clientsPerKey: 100 })
    expect(await findFaults(world, keys, results)).toEqual([])
    const fresh = results.flatMap((result) => Object.values(result).map((each) => each.fresh))
    expect(fresh.reduce((sum, each) => sum + each, 0)).toBe(10)
  },
)

/** The mechanisms that a mutant lacks, one at a time, the mode, and the race that must detect it. */
const MUTANTS: Record<
  string,
  { mode: Mode; edits: Edit[]; isCaught: (world: World) => Promise<boolean> }
> = {
  'with the row of the key outside the transaction': {
    mode: 'row',
    edits: [['postgres/transaction.ts', 'storeRow(tx, claim', 'storeRow(db, claim']],
    isCaught: async (world) => (await kill(world, 'uncommitted')).rows !== 1,
  },
  'without the check of a conflict': {
    mode: 'tiered',
    edits: [
      [
        'postgres/statements.ts',
        'where ${IS_EXPIRED} or ${IS_SAME_PENDING} and ${TAKES[takes]}\nreturning found.xmax',
        'returning found.xmax',
      ],
    ],
    isCaught: async (world) => (await loseWhileRunning(world)).rows !== 1,
  },
  'with an update without the token': {
    mode: 'row',
    edits: [['postgres/statements.ts', "own: 'found.token = excluded.token'", "own: 'true'"]],
    isCaught: async (world) => (await takeOver(world, 'begun')).zombie === 'fresh',
  },
  'without the row of a takeover': {
    mode: 'tiered',
    edits: [['tiered/tiered-store.ts', 'begun.attempt > 1 ?', 'begun.attempt > 1e9 ?']],
    isCaught: async (world) => (await takeOver(world, 'begun')).zombie === 'fresh',
  },
}

test.for(Object.keys(MUTANTS))('the mutant %s is caught', async (name, { open }) => {
  const { mode, edits, isCaught } = MUTANTS[name]!
  const mutant = await copyMutant(fileURLToPath(ROOT), name, edits)
  try {
    const root = new URL('.', `file://${mutant.source}`).href.replace(/\/$/, '')
    expect(await isCaught(await open({ mode, root }))).toBe(true)
  } finally {
    await mutant.remove()
  }
})
