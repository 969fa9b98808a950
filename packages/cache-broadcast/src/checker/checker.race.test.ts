import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from '@repo/testing'
import { everyFault, type Fault, injure } from './faults.fixture.ts'
import { judge, KEYS, randomOf, type History, type Run, type Verdict } from './history.fixture.ts'
import { makeMutant } from './mutants.fixture.ts'

const program = new URL('checker.fixture.ts', import.meta.url)
const source = path.join(import.meta.dirname, '../index.ts')
/** `pnpm race` sets it: 200 rounds take about ten minutes. */
const rounds = Number(process.env['RACE_ROUNDS'] ?? 0)
const seed = Number(process.env['RACE_SEED'] ?? Date.now() % 1_000_000)
const maxStaleMs = 300
/** Attempts to catch a mutant: the test fails if none of them catches it. */
const TRIES = 40

const checker = test.extend('check', async ({ ownValkey, replicas, tcpProxy }, { onCleanup }) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'threefold-checker-'))
  onCleanup(() => rm(folder, { recursive: true }))
  const truthFile = path.join(folder, 'truth')
  await writeFile(truthFile, '0'.repeat(8 * KEYS))
  return async (program_: string, slowMs = 12) => {
    const proxies = await Promise.all([0, 1, 2].map(() => tcpProxy({ target: ownValkey.url })))
    const three = await replicas(3, { program })
    await Promise.all(
      three.map((replica, self) => {
        const redisUrl = proxies[self]!.url
        const opening = {
          redisUrl,
          source: program_,
          truthFile,
          seed,
          self,
          maxStaleMs,
          slowMs,
        }
        return replica.call('open', opening)
      }),
    )
    const random = randomOf(seed)
    return async (
      run: Omit<Run, 'replicas'>,
      kinds: Fault[] = [],
    ): Promise<Verdict & { faults: number }> => {
      const ending = new AbortController()
      const injury = { three, proxies, valkey: ownValkey, random, kinds, ending: ending.signal }
      const faults = kinds.length > 0 ? injure(injury) : 0
      const histories = await Promise.all(
        three.map((replica) => replica.call<History>('run', { ...run, replicas: 3 })),
      )
      ending.abort()
      return { ...judge(histories), faults: await faults }
    }
  }
})

function report(title: string, verdict: object) {
  process.stdout.write(`${title} (seed ${seed}): ${JSON.stringify(verdict)}\n`)
}

describe('a history of three processes and twelve keys', () => {
  checker(
    'I1: no read that starts after a barrier returns an older version, with and without faults',
    { timeout: 60_000 + rounds * 8_000 },
    async ({ check }) => {
      const run = await check(source)
      const total = { reads: 0, writes: 0, faults: 0 }
      for (let round = 0; round <= rounds / 20; round += 1) {
        for (const kinds of [[], everyFault]) {
          const ms = kinds.length === 0 ? 2_000 : 4_000
          const verdict = await run({ ms, pauseMs: 150, wait: 'everywhere' }, kinds)
          report(kinds.length === 0 ? 'barrier, calm' : 'barrier, faults', verdict)
          expect(verdict).toMatchObject({ stale: 0 })
          total.reads += verdict.reads
          total.writes += verdict.writes
          total.faults += verdict.faults
        }
      }
      report('all', total)
      expect(total.reads).toBeGreaterThan(rounds > 0 ? 100_000 : 1_000)
    },
  )

  checker(
    'I3: without a barrier, a read returns no version that is older than maxStaleMs',
    { timeout: 60_000 + rounds * 8_000 },
    async ({ check }) => {
      const run = await check(source)
      for (let round = 0; round <= rounds / 20; round += 1) {
        for (const kinds of [[], everyFault]) {
          const verdict = await run({ ms: 1_500, pauseMs: 150 }, kinds)
          report(kinds.length === 0 ? 'no barrier, calm' : 'no barrier, faults', verdict)
          expect(verdict.worstMs).toBeLessThan(maxStaleMs)
        }
      }
    },
  )

  // Without a fence, only a reply that an invalidation overtakes does harm, so replies are delayed.
  // A missed entry has an effect until its key is written again, so the pauses are long.
  const mutants: [string, Fault[], { slowMs: number; pauseMs: number }][] = [
    ['no fence', [], { slowMs: 150, pauseMs: 20 }],
    ['no tombstone', [], { slowMs: 12, pauseMs: 20 }],
    ['no lease', ['halfOpen', 'freeze'], { slowMs: 12, pauseMs: 300 }],
    ['no look at the log', ['partition'], { slowMs: 12, pauseMs: 300 }],
    ['positions noted before they are applied', ['halfOpen'], { slowMs: 12, pauseMs: 100 }],
    ['no gap check', ['outrun'], { slowMs: 12, pauseMs: 300 }],
  ]
  for (const [mutant, kinds, { slowMs, pauseMs }] of mutants) {
    checker(
      `the checker finds a stale read of a program with ${mutant}`,
      { timeout: TRIES * 5_000 },
      async ({ check }) => {
        const { source: mutated, remove } = await makeMutant(mutant)
        try {
          const run = await check(mutated, slowMs)
          const race = () => run({ ms: 1_500, pauseMs, wait: 'everywhere' }, kinds)
          let tries = 1
          let verdict = await race()
          for (; tries < TRIES && verdict.stale === 0; tries += 1) verdict = await race()
          report(mutant, { ...verdict, tries })
          expect(verdict.stale).toBeGreaterThan(0)
        } finally {
          await remove()
        }
      },
    )
  }
})
