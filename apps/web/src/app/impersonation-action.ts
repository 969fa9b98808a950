'use server'

import { redirect } from 'next/navigation'
import * as api from '../api/api.ts'

/** Returns to the administrator's session. If that session has ended, so has the impersonation. */
export async function stopImpersonating(): Promise<never> {
  const answer = await api.stopImpersonating()
  if (answer.outcome === 'signed-out') redirect('/sign-in?next=/users')
  if (answer.outcome !== 'ok') redirect('/account?notice=failed')
  await api.passCookies(answer.setCookie)
  redirect('/users')
}
