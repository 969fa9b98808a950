'use server'

import { updateTag } from 'next/cache'
import { redirect } from 'next/navigation'
import * as api from '../../api/api.ts'
import { settingsTag } from '../../api/public-settings.ts'
import { describeDelivery } from '../../format/delivery.ts'
import { type FormState, refused, textOf } from '../../forms/form-state.ts'

/** Changes one setting on all instances. The form shows which instances have applied the change. */
export async function changeSetting(_: FormState, form: FormData): Promise<FormState> {
  const name = textOf(form, 'name') === 'payments' ? 'payments' : 'announcement'
  const value = textOf(form, 'value')
  const answer = await api.changeSetting(name, value)
  if (answer.outcome === 'signed-out') redirect('/sign-in?next=/settings')
  if (answer.outcome !== 'ok') return refused(answer, { value })

  const { setting, delivery } = answer.value
  // The gateway has invalidated the tag. It is invalidated again now that no gateway has the old
  // value: an instance may have read the old value in between. Without Redis no cache is trusted.
  if (delivery.outcome !== 'pending') updateTag(settingsTag)
  return {
    message: null,
    errors: {},
    values: { value: setting.value },
    result: describeDelivery(delivery),
  }
}
