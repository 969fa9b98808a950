import { describe, expect } from '@repo/testing'
import { ALL_DRIVERS } from './drivers.fixture.ts'
import { test } from './model.fixture.ts'
import { MUTANTS, makeMutant } from './mutants.fixture.ts'

/** `pnpm race` sets it: 200 rounds are 20,000 histories. */
const rounds = Number(process.env['RACE_ROUNDS'] ?? 0)
/** The test command runs the same histories each time. */
const seed = Number(process.env['RACE_SEED'] ?? (rounds > 0 ? Date.now() % 1_000_000 : 1))

describe('random histories of three instances', () => {
  for (const driver of ALL_DRIVERS) {
    const count = rounds > 0 ? 20 * rounds : 40
    test(`${count} histories on the ${driver} store do what the model allows (seed ${seed})`, async ({
      check,
    }) => {
      const startedMs = performance.now()
      const { histories, failure } = await check(driver, { count, seed })
      const ms = Math.round(performance.now() - startedMs)
      process.stdout.write(`${driver}: ${histories} histories in ${ms} ms (seed ${seed})\n`)
      expect(failure).toBeUndefined()
      expect(histories).toBe(count)
    })
  }
})

describe('a program without a mechanism', () => {
  for (const [name, { driver, within }] of Object.entries(MUTANTS)) {
    test(`the mutant with ${name} is caught on the ${driver} store within ${within} histories`, async ({
      check,
    }) => {
      const { folder, remove } = await makeMutant(name)
      try {
        const { histories, failure } = await check(driver, { count: within, seed: 1, folder })
        process.stdout.write(`${name}: ${histories} histories, ${failure}\n`)
        expect(failure).toBeDefined()
      } finally {
        await remove()
      }
    })
  }
})
