import type * as contract from '@repo/api'
import type { CallOptions, CallResult, CallValue, Operation } from '@repo/api/client'
import { cookies, headers } from 'next/headers'
import { NextResponse } from 'next/server'
import { cache } from 'react'
import { settings } from '../env.ts'
import { type Answer, toAnswer, toAnswerWithoutValue } from './answer.ts'
import { callGateway } from './gateway-call.ts'
import { requestIdHeader } from './headers.ts'
import { untilDecided } from './in-flight.ts'

const deadlineMs = 3_000
const forwarded = ['cookie', requestIdHeader, 'traceparent', 'user-agent', 'x-forwarded-for']
// Over http the name contains the port: see @repo/session.
const isSessionCookie = /^(?:__Secure-)?better-auth(?:-\d+)?\.session_token$/

async function forward<Key extends Operation, T>(
  operation: Key,
  options: CallOptions<Key>,
  read: (result: CallResult<CallValue<Key>>) => Answer<T>,
): Promise<Answer<T>> {
  // First, because it stops a build here, which has no settings.
  const incoming = await headers()
  const outgoing: Record<string, string> = { ...options.headers }
  for (const name of forwarded) {
    const value = incoming.get(name)
    if (value !== null) outgoing[name] = value
  }
  // The request to this app came from one of its pages: `src/server/same-origin.ts` has checked
  // that.
  if (!operation.startsWith('GET ')) outgoing['origin'] = settings().ORIGIN
  return callGateway(operation, { ...options, headers: outgoing }, deadlineMs, read)
}

const call = <Key extends Operation>(operation: Key, options: CallOptions<Key>) =>
  forward(operation, options, toAnswer<CallValue<Key>>)
const send = <Key extends Operation>(operation: Key, options: CallOptions<Key>) =>
  forward(operation, options, toAnswerWithoutValue)

/** The signed-in user: at most one call for each request, and no call without a session cookie. */
export const me = cache(async (): Promise<Answer<contract.Me>> => {
  const jar = await cookies()
  const hasSession = jar.getAll().some(({ name }) => isSessionCookie.test(name))
  if (!hasSession) return { outcome: 'signed-out', message: 'You are not signed in.', servedBy: [] }
  return call('GET /api/me', {})
})

/** Calls auth. The response names the gateway and the auth instance that served it. */
export const ping = cache(() => send('GET /api/auth/ok', {}))

export const cluster = () => call('GET /api/cluster', {})
export const sessions = () => call('GET /api/sessions', {})
export const limits = () => call('GET /api/limits', { query: { minutes: 15 } })
export const users = (offset: number) =>
  call('GET /api/auth/admin/list-users', {
    query: { limit: 20, offset, sortBy: 'createdAt', sortDirection: 'desc' },
  })
export const payments = () => call('GET /api/payments', {})
export const featureSettings = () => call('GET /api/settings', {})

/** Resolves when no instance uses the old value, or with the instances that may still use it. */
export const changeSetting = (name: contract.Setting['name'], value: string) =>
  call('PUT /api/settings/{name}', { params: { name }, body: { value } })

export const signIn = (body: contract.AuthRequest<'POST /sign-in/email'>) =>
  send('POST /api/auth/sign-in/email', { body })
export const signUp = (body: contract.AuthRequest<'POST /sign-up/email'>) =>
  send('POST /api/auth/sign-up/email', { body })
export const signOut = () => send('POST /api/auth/sign-out', { body: {} })
/** Resolves when no instance accepts the sessions. */
export const revokeSession = (id: string) => call('DELETE /api/sessions/{id}', { params: { id } })
export const keys = () => call('GET /api/keys', {})
export const createKey = (body: contract.NewKey) => call('POST /api/keys', { body })
/** Resolves when no instance accepts the key. */
export const revokeKey = (id: string) => call('DELETE /api/keys/{id}', { params: { id } })
export const revokeOtherSessions = () => call('DELETE /api/sessions', {})
export const administer = (
  action: 'ban-user' | 'unban-user' | 'revoke-user-sessions' | 'impersonate-user',
  userId: string,
) => send(`POST /api/auth/admin/${action}`, { body: { userId } })
export const stopImpersonating = () => send('POST /api/auth/admin/stop-impersonating', { body: {} })

export const block = (body: contract.BlockRequest) => send('POST /api/limits/blocks', { body })
export const unblock = (policy: string, id: string) =>
  send('DELETE /api/limits/blocks', { query: { policy, id } })

/** All attempts of one form carry one key, which distinguishes a retry from a second payment. */
export const pay = (body: contract.PaymentOrder, idempotencyKey: string) =>
  untilDecided(() =>
    call('POST /api/payments', { body, headers: { 'idempotency-key': idempotencyKey } }),
  )

/** Forwards the cookies of an auth response to the browser. Only a server action can do this. */
export async function passCookies(setCookie: string[]) {
  const jar = await cookies()
  const parsed = new NextResponse(null, {
    headers: setCookie.map((value) => ['set-cookie', value]),
  })
  for (const cookie of parsed.cookies.getAll()) {
    // Next's parser drops an empty value and a maximum age of 0, which delete a cookie.
    jar.set(cookie.value ? cookie : { ...cookie, value: '', maxAge: 0 })
  }
}
