'use client'

import { useActionState } from 'react'
import { untouched } from '../../forms/form-state.ts'
import { Field, SelectField } from '../../ui/field.tsx'
import { FormMessage } from '../../ui/form-message.tsx'
import { SubmitButton } from '../../ui/submit-button.tsx'
import { blockKey } from './actions.ts'

const hours = [
  ['1', '1 hour'],
  ['24', '1 day'],
  ['168', '1 week'],
] as const

export function BlockForm({ policies }: { policies: { name: string; by: string }[] }) {
  const [{ message, errors, values }, action] = useActionState(blockKey, untouched)
  return (
    <form action={action} className="grid gap-5">
      <FormMessage state={{ message, errors, values }} />
      <SelectField label="Limit" name="policy" defaultValue={values['policy']}>
        {policies.map(({ name, by }) => (
          <option key={name} value={name}>
            {name} (counted by {by})
          </option>
        ))}
      </SelectField>
      <Field
        label="Key"
        name="id"
        autoComplete="off"
        spellCheck={false}
        hint="The value that the limit counts by, such as an IP address or a user ID."
        defaultValue={values['id']}
        error={errors['id']}
      />
      <SelectField label="Duration" name="hours" defaultValue={values['hours'] ?? '1'}>
        {hours.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </SelectField>
      <SubmitButton look="danger" pendingText="Blocking…">
        Block
      </SubmitButton>
    </form>
  )
}
