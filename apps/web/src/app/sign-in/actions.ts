'use server'

import { redirect } from 'next/navigation'
import * as api from '../../api/api.ts'
import { type FormState, refused, textOf } from '../../forms/form-state.ts'
import { sameSitePath } from '../../forms/same-site.ts'

export async function signIn(_: FormState, form: FormData): Promise<FormState> {
  const email = textOf(form, 'email').trim()
  const answer = await api.signIn({ email, password: textOf(form, 'password') })
  if (answer.outcome !== 'ok') return refused(answer, { email })
  await api.passCookies(answer.setCookie)
  redirect(sameSitePath(form.get('next'), '/account'))
}

export async function signUp(_: FormState, form: FormData): Promise<FormState> {
  const name = textOf(form, 'name').trim()
  const email = textOf(form, 'email').trim()
  const answer = await api.signUp({ name, email, password: textOf(form, 'password') })
  if (answer.outcome !== 'ok') return refused(answer, { name, email })
  await api.passCookies(answer.setCookie)
  redirect(sameSitePath(form.get('next'), '/account'))
}
