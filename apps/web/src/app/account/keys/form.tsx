'use client'

import { scopes } from '@repo/api'
import { useActionState } from 'react'
import { CheckField, Field, SelectField } from '../../../ui/field.tsx'
import { FormMessage } from '../../../ui/form-message.tsx'
import { SubmitButton } from '../../../ui/submit-button.tsx'
import { createKey } from './actions.ts'
import { DEFAULT_EXPIRY, expiries } from './expiries.ts'
import { untouchedKey } from './key-form-state.ts'
import { NewKey } from './new-key.tsx'

const choices = Object.entries(scopes).map(([value, hint]) => ({ value, label: value, hint }))

/** The form of a new key, and the key after its creation. */
export function KeyForm() {
  const [state, action] = useActionState(createKey, untouchedKey)
  const expiry = state.values['expiry'] ?? DEFAULT_EXPIRY
  return (
    <div className="grid min-w-0 gap-6">
      <div role="status" className="empty:hidden">
        {state.created && <NewKey key={state.created.text} {...state.created} />}
      </div>
      <form action={action} className="grid gap-5">
        <FormMessage state={state} />
        <Field
          label="Name"
          name="name"
          autoComplete="off"
          required
          maxLength={60}
          hint="The program that uses the key, such as a build server."
          defaultValue={state.values['name']}
          error={state.errors['name']}
        />
        <CheckField
          label="Permissions"
          name="scopes"
          choices={choices}
          defaultValues={state.scopes ?? []}
          error={state.errors['scopes']}
        />
        <SelectField
          key={expiry}
          label="Expires"
          name="expiry"
          defaultValue={expiry}
          error={state.errors['expiresInDays']}
        >
          {expiries.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </SelectField>
        <SubmitButton pendingText="Creating…">Create key</SubmitButton>
      </form>
    </div>
  )
}
