'use server'

import { redirect } from 'next/navigation'
import type { Answer } from '../../api/answer.ts'
import * as api from '../../api/api.ts'
import { type FormState, refused, textOf } from '../../forms/form-state.ts'

const HOUR_MS = 3_600_000

function conclude(answer: Answer<unknown>, done: 'blocked' | 'let-go'): never {
  if (answer.outcome === 'signed-out') redirect('/sign-in?next=/limits')
  redirect(`/limits?notice=${answer.outcome === 'ok' ? done : 'failed'}`)
}

/** Blocks whoever the report names. */
export async function block(form: FormData) {
  conclude(
    await api.block({ policy: textOf(form, 'policy'), id: textOf(form, 'id'), forMs: HOUR_MS }),
    'blocked',
  )
}

export async function letGo(form: FormData) {
  conclude(await api.letGo(textOf(form, 'policy'), textOf(form, 'id')), 'let-go')
}

/** Blocks whoever was typed, for so many hours. */
export async function blockSomebody(_: FormState, form: FormData): Promise<FormState> {
  const policy = textOf(form, 'policy')
  const id = textOf(form, 'id').trim()
  const hours = textOf(form, 'hours')
  const values = { policy, id, hours }
  if (id === '') {
    return { message: 'Nobody was blocked.', errors: { id: 'Say whom.' }, values }
  }
  const answer = await api.block({ policy, id, forMs: Number(hours) * HOUR_MS })
  return answer.outcome === 'ok' ? conclude(answer, 'blocked') : refused(answer, values)
}
