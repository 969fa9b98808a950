'use server'

import { redirect } from 'next/navigation'
import type { Answer } from '../../api/answer.ts'
import * as api from '../../api/api.ts'
import { type FormState, refused, textOf } from '../../forms/form-state.ts'

const HOUR_MS = 3_600_000

function finish(answer: Answer<unknown>, notice: 'blocked' | 'unblocked'): never {
  if (answer.outcome === 'signed-out') redirect('/sign-in?next=/limits')
  redirect(`/limits?notice=${answer.outcome === 'ok' ? notice : 'failed'}`)
}

/** Blocks a key that the report lists. */
export async function block(form: FormData) {
  finish(
    await api.block({ policy: textOf(form, 'policy'), id: textOf(form, 'id'), forMs: HOUR_MS }),
    'blocked',
  )
}

export async function unblock(form: FormData) {
  finish(await api.unblock(textOf(form, 'policy'), textOf(form, 'id')), 'unblocked')
}

/** Blocks the key in the form for the chosen number of hours. */
export async function blockKey(_: FormState, form: FormData): Promise<FormState> {
  const policy = textOf(form, 'policy')
  const id = textOf(form, 'id').trim()
  const hours = textOf(form, 'hours')
  const values = { policy, id, hours }
  if (id === '') {
    return { message: 'No key was blocked.', errors: { id: 'Enter a key.' }, values }
  }
  const answer = await api.block({ policy, id, forMs: Number(hours) * HOUR_MS })
  return answer.outcome === 'ok' ? finish(answer, 'blocked') : refused(answer, values)
}
