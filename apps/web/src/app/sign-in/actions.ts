'use server'

import { redirect } from 'next/navigation'
import type { Answer } from '../../api/answer.ts'
import * as api from '../../api/api.ts'
import { type FormState, refused, textOf } from '../../forms/form-state.ts'
import { sameSitePath } from '../../forms/same-site.ts'

export async function signIn(_: FormState, form: FormData): Promise<FormState> {
  const email = textOf(form, 'email').trim()
  const answer = await api.signIn({ email, password: textOf(form, 'password') })
  return enter(answer, { email }, form)
}

export async function signUp(_: FormState, form: FormData): Promise<FormState> {
  const name = textOf(form, 'name').trim()
  const email = textOf(form, 'email').trim()
  const answer = await api.signUp({ name, email, password: textOf(form, 'password') })
  return enter(answer, { name, email }, form)
}

/**
 * Opens the next page with the new session, or returns the form with the reason for the refusal.
 */
async function enter(
  answer: Answer<unknown>,
  values: Record<string, string>,
  form: FormData,
): Promise<FormState> {
  if (answer.outcome !== 'ok') return refused(answer, values)
  await api.passCookies(answer.setCookie)
  redirect(sameSitePath(form.get('next'), '/account'))
}
