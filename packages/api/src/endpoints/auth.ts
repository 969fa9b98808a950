import type { core } from 'zod'
import { type AuthEndpoint, authRequests } from '../requests/auth.ts'
import { authResponses } from '../responses/auth.ts'
import { problem } from '../responses/problem.ts'
import type { Endpoint } from './endpoint.ts'

const summaries: Record<AuthEndpoint, readonly [auth: Endpoint['auth'], summary: string]> = {
  'GET /ok': ['open', 'Whether the service responds'],
  'GET /get-session': ['open', 'The session of the caller, or null'],
  'POST /sign-up/email': ['open', 'Create an account and sign in'],
  'POST /sign-in/email': ['open', 'Sign in'],
  'POST /sign-out': ['open', 'Sign out'],
  'POST /verify-password': ['signed-in', 'Check the password of the caller'],
  'POST /change-password': ['signed-in', 'Change the password of the caller'],
  'POST /reset-password': ['open', 'Set a new password with a token from an e-mail'],
  'POST /update-user': ['signed-in', 'Change the name or the image of the caller'],
  'GET /list-sessions': ['signed-in', 'The sessions of the caller'],
  'POST /revoke-session': ['signed-in', 'End one session of the caller'],
  'POST /revoke-sessions': ['signed-in', 'End all sessions of the caller'],
  'POST /revoke-other-sessions': ['signed-in', 'End all sessions of the caller except this one'],
  'GET /admin/list-users': ['administrator', 'One page of users'],
  'POST /admin/ban-user': ['administrator', 'Ban a user and end the sessions of the user'],
  'POST /admin/unban-user': ['administrator', 'Remove the ban of a user'],
  'POST /admin/remove-user': ['administrator', 'Remove a user'],
  'POST /admin/set-role': ['administrator', 'Change the role of a user'],
  'POST /admin/set-user-password': ['administrator', 'Set the password of a user'],
  'POST /admin/impersonate-user': ['administrator', 'Act for a user, who can then only be read'],
  'POST /admin/stop-impersonating': ['signed-in', 'Stop acting for a user'],
  'POST /admin/revoke-user-session': ['administrator', 'End one session of a user'],
  'POST /admin/revoke-user-sessions': ['administrator', 'End all sessions of a user'],
}

const schemas = new Map<string, core.$ZodType>(Object.entries(authRequests))
const responses = new Map<string, core.$ZodType>(Object.entries(authResponses))

/** The endpoints of Better Auth that are available: those of `authRequests`. */
export const authEndpoints: readonly Endpoint[] = Object.entries(summaries).map(
  ([key, [auth, summary]]) => {
    const schema = schemas.get(key)
    const isGet = key.startsWith('GET ')
    const path = key.slice(key.indexOf(' ') + 1)
    return {
      method: isGet ? 'GET' : 'POST',
      path: `/api/auth${path}`,
      tag: path.startsWith('/admin/') ? 'administration' : 'auth',
      summary,
      auth,
      ...(schema && (isGet ? { query: schema } : { body: schema })),
      responses: { 200: responses.get(key), 422: problem },
      cookies: true,
    }
  },
)
