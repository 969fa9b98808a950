import { hashPassword, verifyPassword } from 'better-auth/crypto'
import pLimit from 'p-limit'

/** Of the four threads on which Node also resolves names and derives PostgreSQL's login proof. */
export const HASHED_AT_ONCE = 2

/**
 * Better Auth's hashing (scrypt), at most two passwords at a time. More would take all of Node's
 * threads: a burst of sign-ins then keeps new database connections waiting past their deadline, and
 * is answered 503.
 */
export function createPasswords() {
  const limit = pLimit(HASHED_AT_ONCE)
  return {
    hash: (password: string) => limit(() => hashPassword(password)),
    verify: ({ hash, password }: { hash: string; password: string }) =>
      limit(() => verifyPassword({ hash, password })),
  }
}
