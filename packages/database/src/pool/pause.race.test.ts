import path from 'node:path'
import { blockEventLoop, copyMutant, expect, test } from '@repo/testing'
import { connectDatabase, type DatabaseConnection, type DatabaseOptions } from '../connect.ts'

const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 6)
const CALLS = 30

interface Program {
  connectDatabase(options: DatabaseOptions): DatabaseConnection
}

/** Deadlines by real time. */
const REAL_CLOCK = `{
  tickMs: 0,
  now: () => performance.now(),
  start() {
    ticks ??= setInterval(() => setImmediate(check), 30)
  },
  stop() {
    clearInterval(ticks)
    ticks = undefined
  },
}
  let ticks: NodeJS.Timeout | undefined`

/** Returns the failures of calls that wait for connections and replies while the process is paused. */
async function failuresOfPauses(url: string, program: Program, rounds: number): Promise<string[]> {
  const failures: string[] = []
  for (let round = 0; round < rounds; round += 1) {
    // Much shorter than a pause. A call needs at most 10 ms of awake time for each call before it.
    const timeouts = { deadlineMs: 400, busyDeadlineMs: 400, connectTimeoutMs: 400 }
    const database = program.connectDatabase({ url, name: 'paused', poolSize: 5, ...timeouts })
    if (round % 2 === 0) await database.warm()
    const calls = Array.from({ length: CALLS }, () => database.pool.query('select pg_sleep(0.005)'))
    for (let turn = 0; turn < round; turn += 1) await new Promise((next) => setImmediate(next))
    blockEventLoop(600)
    const ends = await Promise.allSettled(calls)
    failures.push(...ends.flatMap((end) => (end.status === 'rejected' ? [String(end.reason)] : [])))
    await database.close()
  }
  return failures
}

test(`none of ${ROUNDS * CALLS} calls fails in ${ROUNDS} pauses that are longer than the deadlines`, async ({
  databaseUrl,
}) => {
  expect(await failuresOfPauses(databaseUrl, { connectDatabase }, ROUNDS)).toEqual([])
})

test('the check of pauses detects deadlines by real time', async ({ databaseUrl }) => {
  const clock = 'createAwakeClock({ ms: Math.min(deadlineMs, busyDeadlineMs), onTick: check })'
  const edits = [['pool/deadlines.ts', clock, REAL_CLOCK]] as const
  const program = path.join(import.meta.dirname, '..')
  const { source, remove } = await copyMutant(program, 'real time', [[...edits[0]]])
  try {
    const failures = await failuresOfPauses(databaseUrl, await import(source), 4)
    expect(failures.join()).toContain('PostgreSQL')
  } finally {
    await remove()
  }
})
