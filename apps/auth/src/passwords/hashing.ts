import { hashPassword, verifyPassword } from 'better-auth/crypto'
import pLimit from 'p-limit'

/** Node has four threads, and also needs them for DNS and for the login proof of PostgreSQL. */
export const HASHED_AT_ONCE = 2

/**
 * Better Auth's hashing (scrypt), at most two passwords at a time. More would use all threads of
 * Node: during a burst of sign-ins new database connections would then miss their deadline.
 */
export function createPasswords() {
  const limit = pLimit(HASHED_AT_ONCE)
  return {
    hash: (password: string) => limit(() => hashPassword(password)),
    verify: ({ hash, password }: { hash: string; password: string }) =>
      limit(() => verifyPassword({ hash, password })),
  }
}
