import { type AuthEndpoint, authRequests } from '@repo/api'
import type { z } from 'zod'

/** An endpoint of Better Auth that is available. */
export interface Endpoint {
  /** The schema of the body of a POST, or of the query of a GET. */
  input: z.ZodType
  /**
   * The owner of the password that the endpoint checks: the e-mail address in the input, or the
   * signed-in user. `new` sets the first password of the address.
   */
  password?: 'of-email' | 'of-session' | 'new'
  /** Whether a success shows that the device belongs to the account's owner. */
  trustsDevice?: true
}

/** The endpoints that check or set a password. */
const passwords: Readonly<Partial<Record<AuthEndpoint, Omit<Endpoint, 'input'>>>> = {
  'POST /sign-up/email': { password: 'new', trustsDevice: true },
  'POST /sign-in/email': { password: 'of-email', trustsDevice: true },
  'POST /verify-password': { password: 'of-session' },
  'POST /change-password': { password: 'of-session', trustsDevice: true },
}

const endpoints = new Map<string, Endpoint>(Object.entries(authRequests).map(toEndpoint))

function toEndpoint([name, input]: [string, z.ZodType]): [string, Endpoint] {
  const password = Object.entries(passwords).find(([endpoint]) => endpoint === name)?.[1]
  return [name, { input, ...password }]
}

/** @param path without `/api/auth` */
export function findEndpoint(method: string, path: string): Endpoint | undefined {
  return endpoints.get(`${method} ${path}`)
}

/** `POST /sign-out` and so on. */
export function availableEndpoints(): string[] {
  return [...endpoints.keys()]
}
