import { expect, test } from '@playwright/test'
import { instancesOf, whenBack } from '../cluster.ts'
import { startPayers } from '../payers.ts'

const KILLS = 10
const APPS = ['auth', 'gateway', 'payments'] as const

// `pnpm chaos --only keyed` does the same with 100 kills.
test(`while ${KILLS} instances are killed, each payment is made once, and all clients of its key receive the same response`, async ({
  request,
}) => {
  test.setTimeout(180_000)
  const payers = await startPayers(request)
  let kills = 0
  async function killer(app: (typeof APPS)[number]) {
    while (kills < KILLS) {
      kills += 1
      const ended = payers.ended()
      await expect.poll(() => payers.ended(), { timeout: 60_000 }).toBeGreaterThan(ended)
      const instances = instancesOf(app)
      const victim = instances[Math.floor(Math.random() * instances.length)]
      if (!victim) throw new Error(`no instance of ${app} runs`)
      process.kill(victim.pid, 'SIGKILL')
      await expect.poll(() => whenBack(victim), { timeout: 60_000 }).toBeDefined()
    }
  }
  await Promise.all(APPS.map(killer))
  const { verdict, made } = await payers.stop()
  expect(verdict).toMatchObject({ differing: [], unanswered: [], refused: [] })
  expect(made).toEqual({ payments: verdict.keys, references: verdict.keys })
  // Three of the four habits send each payment again.
  expect(verdict.repeated).toBeGreaterThan(verdict.keys / 2)
  expect(verdict.replays).toBeGreaterThan(0)
})
