import { until, vi } from '@repo/testing'
import type { TestApp } from './auth.fixture.ts'

/**
 * Holds each password check of the app once its result is certain, before anything relies on it.
 */
export async function holdVerifications({ auth }: TestApp) {
  const { password } = await auth.$context
  const { verify } = password
  const { pass, ...gate } = createGate()
  vi.spyOn(password, 'verify').mockImplementation(async (given) => pass(await verify(given)))
  return gate
}

/** Holds each new hash of a password before it is written. */
export async function holdHashes({ auth }: TestApp) {
  const { password } = await auth.$context
  const { hash } = password
  const { pass, ...gate } = createGate()
  vi.spyOn(password, 'hash').mockImplementation(async (given) => pass(await hash(given)))
  return gate
}

function createGate() {
  const open = Promise.withResolvers<void>()
  let held = 0
  return {
    pass: async <T>(result: T): Promise<T> => {
      held += 1
      await open.promise
      return result
    },
    untilHeld: (n: number) => until(() => held === n),
    /** Later calls are not held. */
    notLater: () => void vi.restoreAllMocks(),
    release: () => open.resolve(),
  }
}
