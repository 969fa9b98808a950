'use client'

import { useActionState } from 'react'
import { untouched } from '../../forms/form-state.ts'
import { Field } from '../../ui/field.tsx'
import { FormMessage } from '../../ui/form-message.tsx'
import { SubmitButton } from '../../ui/submit-button.tsx'
import { signUp } from '../sign-in/actions.ts'

export function SignUpForm({ next }: { next: string }) {
  const [state, action] = useActionState(signUp, untouched)
  return (
    <form action={action} className="grid gap-5">
      <FormMessage state={state} />
      <input type="hidden" name="next" value={next} />
      <Field
        label="Name"
        name="name"
        autoComplete="name"
        required
        maxLength={100}
        defaultValue={state.values['name']}
        error={state.errors['name']}
      />
      <Field
        label="E-mail"
        name="email"
        type="email"
        autoComplete="username"
        required
        defaultValue={state.values['email']}
        error={state.errors['email']}
      />
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete="new-password"
        required
        minLength={8}
        maxLength={128}
        hint="At least 8 characters."
        error={state.errors['password']}
      />
      <SubmitButton pendingText="Making it…">Make an account</SubmitButton>
    </form>
  )
}
