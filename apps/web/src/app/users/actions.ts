'use server'

import { redirect } from 'next/navigation'
import * as api from '../../api/api.ts'
import { settledQuery } from '../../format/settled.ts'
import { textOf } from '../../forms/form-state.ts'
import type { NoticeCode } from './notices.ts'

async function administer(
  form: FormData,
  action: Parameters<typeof api.administer>[0],
  notice: NoticeCode,
): Promise<never> {
  const answer = await api.administer(action, textOf(form, 'user'))
  if (answer.outcome === 'signed-out') redirect('/sign-in?next=/users')
  const offset = Number(textOf(form, 'offset')) || 0
  if (answer.outcome !== 'ok') redirect(`/users?offset=${offset}&notice=failed`)
  redirect(`/users?offset=${offset}&notice=${notice}${settledQuery(answer.settled)}`)
}

/** Shows the administrator the pages of this user, read-only, until the impersonation ends. */
export async function viewAs(form: FormData): Promise<never> {
  const answer = await api.administer('impersonate-user', textOf(form, 'user'))
  if (answer.outcome === 'signed-out') redirect('/sign-in?next=/users')
  if (answer.outcome !== 'ok') redirect(`/users?notice=failed`)
  await api.passCookies(answer.setCookie)
  redirect('/account')
}

export const ban = async (form: FormData) => administer(form, 'ban-user', 'banned')
export const unban = async (form: FormData) => administer(form, 'unban-user', 'unbanned')
export const signOutEverywhere = async (form: FormData) =>
  administer(form, 'revoke-user-sessions', 'signed-out')
