'use client'

import { useActionState } from 'react'
import { untouched } from '../../forms/form-state.ts'
import { ChoiceField, Field } from '../../ui/field.tsx'
import { FormMessage } from '../../ui/form-message.tsx'
import { SubmitButton } from '../../ui/submit-button.tsx'
import { changeSetting } from './actions.ts'

type SettingFormProps =
  | { name: 'announcement'; value: string; hint: string }
  | { name: 'payments'; value: 'open' | 'closed'; hint: string }

const choices = [
  { value: 'open', label: 'Open' },
  { value: 'closed', label: 'Closed' },
]

/** One setting: the value in force, or the value that was typed and refused. */
export function SettingForm({ name, value, hint }: SettingFormProps) {
  const [state, action] = useActionState(changeSetting, untouched)
  const error = state.errors['value']
  const shown = state.message === null ? value : (state.values['value'] ?? value)
  return (
    <form action={action} className="grid gap-5">
      <FormMessage state={state} />
      <input type="hidden" name="name" value={name} />
      {name === 'announcement' ? (
        <Field
          key={value}
          label="Text"
          name="value"
          autoComplete="off"
          maxLength={200}
          defaultValue={shown}
          hint={hint}
          error={error}
        />
      ) : (
        <ChoiceField
          key={value}
          label="New payments"
          name="value"
          choices={choices}
          defaultValue={shown}
          hint={hint}
          error={error}
        />
      )}
      <SubmitButton pendingText="Saving…">Save</SubmitButton>
    </form>
  )
}
