'use client'

import { useActionState } from 'react'
import { untouched } from '../../forms/form-state.ts'
import { Field } from '../../ui/field.tsx'
import { FormMessage } from '../../ui/form-message.tsx'
import { SubmitButton } from '../../ui/submit-button.tsx'
import { signIn } from './actions.ts'

interface SignInFormProps {
  next: string
  prefill: { email: string; password: string } | undefined
}

export function SignInForm({ next, prefill }: SignInFormProps) {
  const [state, action] = useActionState(signIn, untouched)
  return (
    <form action={action} className="grid gap-5">
      <FormMessage state={state} />
      <input type="hidden" name="next" value={next} />
      <Field
        label="E-mail"
        name="email"
        type="email"
        autoComplete="username"
        required
        defaultValue={state.values['email'] ?? prefill?.email}
        error={state.errors['email']}
      />
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete="current-password"
        required
        defaultValue={prefill?.password}
        error={state.errors['password']}
      />
      <SubmitButton pendingText="Signing in…">Sign in</SubmitButton>
    </form>
  )
}
