import * as contract from '@repo/api'
import { withAwakeDeadline } from '@repo/concurrency'
import { cookies, headers } from 'next/headers'
import { NextResponse } from 'next/server'
import { cache } from 'react'
import * as z from 'zod/mini'
import { settings } from '../env.ts'
import { type Answer, noAnswer, toAnswer } from './answer.ts'
import { fetchFrom } from './gateways.ts'
import { requestIdHeader } from './headers.ts'

const deadlineMs = 3_000
const forwarded = ['cookie', requestIdHeader, 'traceparent', 'user-agent', 'x-forwarded-for']
const anything = z.unknown()
// Over http the name contains the port: see @repo/session.
const isSessionCookie = /^(?:__Secure-)?better-auth(?:-\d+)?\.session_token$/

interface Call<T> {
  schema: z.ZodMiniType<T>
  post?: unknown
  put?: unknown
  remove?: true
  idempotencyKey?: string
}

async function call<T>(
  path: string,
  { schema, post, put, remove, idempotencyKey }: Call<T>,
): Promise<Answer<T>> {
  // First, because it stops a build here, which has no settings.
  const incoming = await headers()
  const { API_URL, ORIGIN } = settings()
  const outgoing = new Headers({ accept: 'application/json' })
  for (const name of forwarded) {
    const value = incoming.get(name)
    if (value !== null) outgoing.set(name, value)
  }
  const body = post ?? put
  if (body !== undefined) outgoing.set('content-type', 'application/json')
  const method = remove ? 'DELETE' : put ? 'PUT' : post ? 'POST' : 'GET'
  // The request to this app came from one of its pages: `src/server/same-origin.ts` has checked
  // that.
  if (method !== 'GET') outgoing.set('origin', ORIGIN)
  if (idempotencyKey !== undefined) outgoing.set('idempotency-key', idempotencyKey)

  try {
    return await withAwakeDeadline(deadlineMs, async (signal) => {
      const response = await fetchFrom(API_URL, path, {
        headers: outgoing,
        cache: 'no-store',
        redirect: 'manual',
        signal,
        method,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      return toAnswer(response, readJson(await response.text()), schema)
    })
  } catch (error) {
    console.warn({ event: 'api_no_answer', path, error: String(error) }, 'the API sent no response')
    return noAnswer
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** The signed-in user: at most one call for each request, and no call without a session cookie. */
export const me = cache(async (): Promise<Answer<contract.Me>> => {
  const jar = await cookies()
  const hasSession = jar.getAll().some(({ name }) => isSessionCookie.test(name))
  if (!hasSession) return { outcome: 'signed-out', message: 'You are not signed in.', servedBy: [] }
  return call('/api/me', { schema: contract.me })
})

/** Calls auth. The response names the gateway and the auth instance that served it. */
export const ping = cache(() => call('/api/auth/ok', { schema: anything }))

export const cluster = () => call('/api/cluster', { schema: contract.cluster })
export const sessions = () => call('/api/sessions', { schema: contract.sessions })
export const limits = () => call('/api/limits?minutes=15', { schema: contract.limits })
export const users = (offset: number) =>
  call(
    `/api/auth/admin/list-users?${new URLSearchParams({ limit: '20', offset: String(offset), sortBy: 'createdAt', sortDirection: 'desc' })}`,
    {
      schema: contract.users,
    },
  )
export const payments = () => call('/api/payments', { schema: contract.payments })
export const featureSettings = () => call('/api/settings', { schema: contract.settings })

/** Resolves when no instance uses the old value, or with the instances that may still use it. */
export const changeSetting = (name: contract.Setting['name'], value: string) =>
  call(`/api/settings/${name}`, { schema: contract.settingChange, put: { value } })

export const signIn = (post: contract.AuthRequest<'POST /sign-in/email'>) =>
  call('/api/auth/sign-in/email', { schema: anything, post })
export const signUp = (post: contract.AuthRequest<'POST /sign-up/email'>) =>
  call('/api/auth/sign-up/email', { schema: anything, post })
export const signOut = () => call('/api/auth/sign-out', { schema: anything, post: {} })
/** Resolves when no instance accepts the sessions. */
export const revokeSession = (id: string) =>
  call(`/api/sessions/${encodeURIComponent(id)}`, { schema: contract.revocation, remove: true })
export const keys = () => call('/api/keys', { schema: contract.apiKeys })
export const createKey = (post: contract.NewKey) =>
  call('/api/keys', { schema: contract.createdKey, post })
/** Resolves when no instance accepts the key. */
export const revokeKey = (id: string) =>
  call(`/api/keys/${encodeURIComponent(id)}`, { schema: contract.revocation, remove: true })
export const revokeOtherSessions = () =>
  call('/api/sessions', { schema: contract.revocation, remove: true })
export const administer = (
  action: 'ban-user' | 'unban-user' | 'revoke-user-sessions' | 'impersonate-user',
  userId: string,
) => call(`/api/auth/admin/${action}`, { schema: anything, post: { userId } })
export const stopImpersonating = () =>
  call('/api/auth/admin/stop-impersonating', { schema: anything, post: {} })

export const block = (post: contract.BlockRequest) =>
  call('/api/limits/blocks', { schema: anything, post })
export const unblock = (policy: string, id: string) =>
  call(`/api/limits/blocks?${new URLSearchParams({ policy, id })}`, {
    schema: anything,
    remove: true,
  })

/** All attempts of one form carry one key, which distinguishes a retry from a second payment. */
export const pay = (post: contract.PaymentOrder, idempotencyKey: string) =>
  call('/api/payments', { schema: contract.payment, post, idempotencyKey })

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
