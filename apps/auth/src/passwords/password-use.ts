import { ProblemError, unavailable } from '@repo/service/hono'
import type { Sessions } from '@repo/session'
import { z } from 'zod'
import type { Endpoint } from '../input/endpoints.ts'
import type { DeviceCookies } from './device-cookie.ts'
import type { PasswordUse } from './guesses.ts'
import { networkOf } from './network.ts'

const signedOut = { status: 401, code: 'signed-out', detail: 'Sign in to continue.' }
const withEmail = z.object({ email: z.string() })

/**
 * Names the account whose password a request checks or sets; undefined if it does neither.
 * @throws ProblemError 401 without a session where the password is that of the session's user, and 503
 * if no store can check the session
 */
export async function passwordUseOf(
  { password }: Endpoint,
  input: unknown,
  headers: Headers,
  { sessions, devices }: { sessions: Pick<Sessions, 'validate'>; devices: DeviceCookies },
): Promise<PasswordUse | undefined> {
  if (password === undefined) return undefined
  const cookie = headers.get('cookie') ?? undefined
  const account =
    password === 'of-session'
      ? await emailOf(sessions, cookie)
      : withEmail.parse(input).email.toLowerCase()
  return {
    account,
    network: networkOf(headers.get('x-client-ip') ?? undefined),
    deviceOf: (passwordHash) => devices.find(cookie, { account, passwordHash }),
    isSignIn: password === 'of-email',
  }
}

async function emailOf(sessions: Pick<Sessions, 'validate'>, cookie: string | undefined) {
  const check = await sessions.validate(cookie)
  if (check.outcome === 'valid') return check.user.email.toLowerCase()
  throw new ProblemError(check.outcome === 'unavailable' ? unavailable : signedOut)
}
