'use server'

import { type Scope, scopes } from '@repo/api'
import { revalidatePath } from 'next/cache'
import { redirect } from 'next/navigation'
import * as api from '../../../api/api.ts'
import { settledBy, settledQuery } from '../../../format/settled.ts'
import { refused, textOf } from '../../../forms/form-state.ts'
import { expiries } from './expiries.ts'
import type { KeyFormState } from './key-form-state.ts'
import type { NoticeCode } from './notices.ts'

const PAGE = '/account/keys'

/** Creates a key. Only the state that this action returns contains it. */
export async function createKey(_: KeyFormState, form: FormData): Promise<KeyFormState> {
  const name = textOf(form, 'name').trim()
  const expiry = textOf(form, 'expiry')
  const chosen = form.getAll('scopes').filter((scope): scope is Scope => isScope(scope))
  const typed = { values: { name, expiry }, scopes: chosen }
  if (chosen.length === 0) {
    const errors = { scopes: 'Choose at least one permission.' }
    return { ...typed, message: 'No key was created.', errors }
  }
  const expiresInDays = expiries.find(({ value }) => value === expiry)?.days
  const answer = await api.createKey({
    name,
    scopes: chosen,
    ...(expiresInDays !== undefined && { expiresInDays }),
  })
  if (answer.outcome === 'signed-out') redirect(`/sign-in?next=${PAGE}`)
  if (answer.outcome !== 'ok') return { ...refused(answer, typed.values), scopes: chosen }
  revalidatePath(PAGE)
  const { text, key } = answer.value
  return { message: null, errors: {}, values: {}, created: { text, name: key.name } }
}

export async function revokeKey(form: FormData) {
  const answer = await api.revokeKey(textOf(form, 'key'))
  if (answer.outcome === 'signed-out') redirect(`/sign-in?next=${PAGE}`)
  // Another tab may have revoked the key first: the result is the same.
  const notice: NoticeCode =
    answer.outcome === 'ok' ? 'revoked' : answer.outcome === 'invalid' ? 'gone' : 'failed'
  const settled = answer.outcome === 'ok' ? settledQuery(settledBy(answer.value)) : ''
  redirect(`${PAGE}?notice=${notice}${settled}`)
}

function isScope(value: FormDataEntryValue): value is Scope {
  return typeof value === 'string' && Object.hasOwn(scopes, value)
}
