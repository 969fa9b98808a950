'use server'

import type { Revocation } from '@repo/api'
import { redirect } from 'next/navigation'
import type { Answer } from '../../api/answer.ts'
import * as api from '../../api/api.ts'
import { settledBy, settledQuery } from '../../format/settled.ts'
import { textOf } from '../../forms/form-state.ts'
import type { NoticeCode } from './notices.ts'

function finish(answer: Answer<Revocation>, notice: NoticeCode): never {
  if (answer.outcome === 'signed-out') redirect('/sign-in?next=/account')
  if (answer.outcome === 'ok') {
    redirect(`/account?notice=${notice}${settledQuery(settledBy(answer.value))}`)
  }
  // Another instance or another tab may have ended the session first: the result is the same.
  redirect(`/account?notice=${answer.outcome === 'invalid' ? 'gone' : 'failed'}`)
}

export async function revokeSession(form: FormData) {
  finish(await api.revokeSession(textOf(form, 'session')), 'revoked')
}

export async function revokeOthers() {
  finish(await api.revokeOtherSessions(), 'others-revoked')
}

export async function signOut() {
  const answer = await api.signOut()
  if (answer.outcome === 'signed-out') redirect('/sign-in?next=/account')
  if (answer.outcome !== 'ok') redirect('/account?notice=failed')
  await api.passCookies(answer.setCookie)
  redirect('/sign-in')
}
