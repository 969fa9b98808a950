'use server'

import { currencies } from '@repo/api'
import { redirect } from 'next/navigation'
import type { Answer } from '../../api/answer.ts'
import * as api from '../../api/api.ts'
import { isInFlight } from '../../api/in-flight.ts'
import { parseAmount } from '../../format/money.ts'
import { type FormState, refused, textOf } from '../../forms/form-state.ts'
import { formAddress, resultAddress } from './form-address.ts'

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
  if (answer.outcome === 'ok') redirect(resultAddress(answer.value.id, answer.isReplay))
  if (answer.outcome === 'signed-out') {
    redirect(`/sign-in?next=${encodeURIComponent(formAddress(key))}`)
  }
  return refusedPayment(answer, values, key)
}

type Refusal = Exclude<Answer<unknown>, { outcome: 'ok' | 'signed-out' }>

/** The state of a form whose payment was refused, and the key of its next attempt. */
function refusedPayment(answer: Refusal, values: Record<string, string>, key: string): FormState {
  const state = refused(answer, values)
  if (answer.outcome === 'forbidden') return { ...state, key }
  const again = `Press Pay again in ${answer.retryAfterSeconds} s. You pay only once.`
  if (answer.outcome === 'unavailable') {
    return { ...state, message: `${answer.message} ${again}`, key }
  }
  if (isInFlight(answer)) {
    return { ...state, message: `Your payment is still in progress. ${again}`, key }
  }
  if (answer.code === 'idempotency-key-reused') {
    const message =
      'This form was already sent with other values, so this attempt paid nothing. Look for your payment under Recent payments before you open a new form.'
    return { ...state, message, key, next: { href: '/payments', text: 'Open a new form' } }
  }
  // The refusal is stored for its key, so the corrected form is another request.
  return { ...state, key: crypto.randomUUID() }
}
