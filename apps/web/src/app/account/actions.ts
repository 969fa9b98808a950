'use server'

import { redirect } from 'next/navigation'
import type { Answer } from '../../answer.ts'
import * as api from '../../api.ts'
import { textOf } from '../../form-state.ts'
import type { NoticeCode } from './notices.ts'

function conclude(answer: Answer<unknown>, done: NoticeCode): never {
  if (answer.outcome === 'signed-out') redirect('/sign-in?next=/account')
  redirect(`/account?notice=${answer.outcome === 'ok' ? done : 'failed'}`)
}

/** Signs one device out. The form names a session; its token never leaves the servers. */
export async function revokeSession(form: FormData) {
  const answer = await api.sessions()
  if (answer.outcome !== 'ok') conclude(answer, 'revoked')
  const session = answer.value.find(({ id }) => id === textOf(form, 'session'))
  // Gone already, by another instance or another tab, is what was asked for.
  if (!session) redirect('/account?notice=revoked')
  conclude(await api.revokeSession(session.token), 'revoked')
}

export async function revokeOthers() {
  conclude(await api.revokeOtherSessions(), 'others-revoked')
}

export async function signOut() {
  const answer = await api.signOut()
  if (answer.outcome !== 'ok') conclude(answer, 'failed')
  await api.passCookies(answer.setCookie)
  redirect('/sign-in')
}
