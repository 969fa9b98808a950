'use server'

import { currencies } from '@repo/api'
import { redirect } from 'next/navigation'
import * as api from '../../api/api.ts'
import { parseAmount } from '../../format/money.ts'
import { type FormState, refused, textOf } from '../../forms/form-state.ts'

export async function pay(_: FormState, form: FormData): Promise<FormState> {
  const amountText = textOf(form, 'amount')
  const reference = textOf(form, 'reference').trim()
  const currency = currencies.find((code) => code === textOf(form, 'currency')) ?? 'EUR'
  const key = textOf(form, 'key')
  const values = { amount: amountText, currency, reference }

  const amount = parseAmount(amountText, currency)
  if (amount.outcome === 'invalid') {
    return { message: 'No payment was made.', errors: { amount: amount.message }, values, key }
  }

  const answer = await api.pay({ amount: amount.minor, currency, reference }, key)
  if (answer.outcome === 'ok') redirect(`/payments?made=${encodeURIComponent(answer.value.id)}`)
  if (answer.outcome === 'signed-out') redirect('/sign-in?next=/payments')
  // A request without an answer may have made the payment, so the next attempt sends the same key.
  // A refused request used up its key.
  const nextKey = answer.outcome === 'unavailable' ? key : crypto.randomUUID()
  return { ...refused(answer, values), key: nextKey }
}
