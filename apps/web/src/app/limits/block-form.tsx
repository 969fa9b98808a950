'use client'

import { useActionState } from 'react'
import { untouched } from '../../forms/form-state.ts'
import { Field, SelectField } from '../../ui/field.tsx'
import { FormMessage } from '../../ui/form-message.tsx'
import { SubmitButton } from '../../ui/submit-button.tsx'
import { blockSomebody } from './actions.ts'

const hours = [
  ['1', 'An hour'],
  ['24', 'A day'],
  ['168', 'A week'],
] as const

export function BlockForm({ policies }: { policies: { name: string; by: string }[] }) {
  const [{ message, errors, values }, action] = useActionState(blockSomebody, untouched)
  return (
    <form action={action} className="grid gap-5">
      <FormMessage state={{ message, errors, values }} />
      <SelectField label="Limit" name="policy" defaultValue={values['policy']}>
        {policies.map(({ name, by }) => (
          <option key={name} value={name}>
            {name} (by {by})
          </option>
        ))}
      </SelectField>
      <Field
        label="Whom"
        name="id"
        autoComplete="off"
        spellCheck={false}
        hint="An address, a user’s id: what the limit goes by."
        defaultValue={values['id']}
        error={errors['id']}
      />
      <SelectField label="For" name="hours" defaultValue={values['hours'] ?? '1'}>
        {hours.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </SelectField>
      <SubmitButton look="danger" pendingText="Telling every instance…">
        Block
      </SubmitButton>
    </form>
  )
}
