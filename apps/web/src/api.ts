import { cookies, headers } from 'next/headers'
import { NextResponse } from 'next/server'
import { cache } from 'react'
import * as z from 'zod/mini'
import { type Answer, noAnswer, toAnswer } from './answer.ts'
import { settings } from './env.ts'
import { fetchFrom } from './gateways.ts'
import { requestIdHeader } from './headers.ts'
import * as schemas from './schemas.ts'

const deadlineMs = 3_000
const forwarded = ['cookie', requestIdHeader, 'traceparent', 'user-agent', 'x-forwarded-for']
const anything = z.unknown()

interface Call<T> {
  schema: z.ZodMiniType<T>
  post?: unknown
  idempotencyKey?: string
}

async function call<T>(
  path: string,
  { schema, post, idempotencyKey }: Call<T>,
): Promise<Answer<T>> {
  const { API_URL, ORIGIN } = settings()
  const incoming = await headers()
  const outgoing = new Headers({ accept: 'application/json' })
  for (const name of forwarded) {
    const value = incoming.get(name)
    if (value !== null) outgoing.set(name, value)
  }
  if (post !== undefined) {
    outgoing.set('content-type', 'application/json')
    outgoing.set('origin', new URL(ORIGIN).origin)
  }
  if (idempotencyKey !== undefined) outgoing.set('idempotency-key', idempotencyKey)

  try {
    const response = await fetchFrom(API_URL, path, {
      headers: outgoing,
      cache: 'no-store',
      redirect: 'manual',
      signal: AbortSignal.timeout(deadlineMs),
      ...(post === undefined ? {} : { method: 'POST', body: JSON.stringify(post) }),
    })
    return toAnswer(response, readJson(await response.text()), schema)
  } catch (error) {
    console.warn(JSON.stringify({ event: 'api_no_answer', path, error: String(error) }))
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

/** Who is asking: one call per request, however many components ask, and none without a cookie. */
export const me = cache(async (): Promise<Answer<schemas.Me>> => {
  const jar = await cookies()
  const signedIn = jar.getAll().some(({ name }) => name.endsWith('better-auth.session_token'))
  if (!signedIn) return { outcome: 'signed-out', message: 'Nobody is signed in.', servedBy: [] }
  return call('/api/me', { schema: schemas.me })
})

/** Asks auth for a sign of life: its answer names the gateway and the auth instance it came through. */
export const ping = cache(() => call('/api/auth/ok', { schema: anything }))

export const cluster = () => call('/api/cluster', { schema: schemas.cluster })
export const sessions = () => call('/api/auth/list-sessions', { schema: schemas.sessions })
export const payments = () => call('/api/payments', { schema: schemas.payments })

export const signIn = (post: { email: string; password: string }) =>
  call('/api/auth/sign-in/email', { schema: anything, post })
export const signUp = (post: { name: string; email: string; password: string }) =>
  call('/api/auth/sign-up/email', { schema: anything, post })
export const signOut = () => call('/api/auth/sign-out', { schema: anything, post: {} })
export const revokeSession = (token: string) =>
  call('/api/auth/revoke-session', { schema: anything, post: { token } })
export const revokeOtherSessions = () =>
  call('/api/auth/revoke-other-sessions', { schema: anything, post: {} })

/** Every try of one form carries one key, so that the service can tell a retry from a second payment. */
export const pay = (
  post: { amount: number; currency: string; reference: string },
  idempotencyKey: string,
) => call('/api/payments', { schema: schemas.payment, post, idempotencyKey })

/** Hands the cookies of an auth answer on to the browser. Only a server action may. */
export async function passCookies(setCookie: string[]) {
  const jar = await cookies()
  const parsed = new NextResponse(null, {
    headers: setCookie.map((value) => ['set-cookie', value]),
  })
  for (const cookie of parsed.cookies.getAll()) {
    // Next's parser drops what is empty or 0, and with it that a cookie is to be forgotten.
    jar.set(cookie.value ? cookie : { ...cookie, value: '', maxAge: 0 })
  }
}
