import { AsyncLocalStorage } from 'node:async_hooks'
import pLimit from 'p-limit'
import { HASHED_AT_ONCE } from './hashing.ts'
import type { GuessLimit } from './limits.ts'

/** A request that checks or sets the password of an account. */
export interface PasswordUse {
  /** The e-mail address, whether or not an account has it. */
  account: string
  network: string
  /** The id of the device, if it signed in to the account with the password of this hash. */
  deviceOf: (passwordHash: string) => string | undefined
  /** Better Auth hashes the password for a missing account, which counts as a wrong password. */
  isSignIn: boolean
  /**
   * Set while the request is served: the stored hash of a right password, and that of a new one.
   */
  verifiedHash?: string
  newHash?: string
}

interface Passwords {
  hash: (password: string) => Promise<string>
  verify: (attempt: { hash: string; password: string }) => Promise<boolean>
}

const uses = new AsyncLocalStorage<PasswordUse>()

/** Runs `serve`, which checks and sets passwords of the account that `use` names. */
export function withPasswordUse<T>(use: PasswordUse, serve: () => Promise<T>): Promise<T> {
  return uses.run(use, serve)
}

/**
 * Limits the wrong passwords that are checked. An instance checks `HASHED_AT_ONCE` passwords at a
 * time, reads the limit before each check and counts a wrong one after it. Instances together
 * therefore exceed a quota by less than `HASHED_AT_ONCE` for each of them, for any number of
 * guesses.
 */
export function limitGuesses({ hash, verify }: Passwords, guesses: GuessLimit): Passwords {
  const turns = pLimit(HASHED_AT_ONCE)

  return {
    async hash(password) {
      const use = uses.getStore()
      if (!use?.isSignIn) {
        const hashed = await hash(password)
        if (use) use.newHash = hashed
        return hashed
      }
      const guesser = { ...use, device: undefined }
      return turns(async () => {
        await guesses.admit(guesser)
        const hashed = await hash(password)
        await guesses.count(guesser)
        return hashed
      })
    },
    async verify(attempt) {
      const use = uses.getStore()
      if (!use) throw new Error('an endpoint that names no account checks a password')
      const guesser = { ...use, device: use.deviceOf(attempt.hash) }
      return turns(async () => {
        await guesses.admit(guesser)
        const isRight = await verify(attempt)
        if (isRight) use.verifiedHash = attempt.hash
        else await guesses.count(guesser)
        return isRight
      })
    },
  }
}
