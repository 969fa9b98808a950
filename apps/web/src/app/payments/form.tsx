'use client'

import { currencies } from '@repo/api'
import { useActionState } from 'react'
import { untouched } from '../../forms/form-state.ts'
import { Field, SelectField } from '../../ui/field.tsx'
import { FormMessage } from '../../ui/form-message.tsx'
import { SubmitButton } from '../../ui/submit-button.tsx'
import { pay } from './actions.ts'

/** Every submission of one form carries the key of its address: see `form-address.ts`. */
export function PaymentForm({ idempotencyKey }: { idempotencyKey: string }) {
  const [state, action] = useActionState(pay, untouched)
  const currency = state.values['currency'] ?? 'EUR'
  return (
    <form action={action} className="grid gap-5">
      <FormMessage state={state} />
      <input type="hidden" name="key" value={state.key ?? idempotencyKey} />
      <div className="grid grid-cols-[1fr_7rem] gap-3">
        <Field
          label="Amount"
          name="amount"
          inputMode="decimal"
          autoComplete="off"
          placeholder="12.50"
          required
          defaultValue={state.values['amount']}
          error={state.errors['amount']}
        />
        <SelectField
          key={currency}
          label="Currency"
          name="currency"
          defaultValue={currency}
          error={state.errors['currency']}
        >
          {currencies.map((code) => (
            <option key={code}>{code}</option>
          ))}
        </SelectField>
      </div>
      <Field
        label="Reference"
        name="reference"
        autoComplete="off"
        required
        maxLength={140}
        hint="The purpose of the payment."
        defaultValue={state.values['reference']}
        error={state.errors['reference']}
      />
      <SubmitButton pendingText="Paying…">Pay</SubmitButton>
    </form>
  )
}
