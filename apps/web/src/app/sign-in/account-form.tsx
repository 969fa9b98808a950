'use client'

import { useActionState } from 'react'
import { untouched } from '../../forms/form-state.ts'
import { Field } from '../../ui/field.tsx'
import { FormMessage } from '../../ui/form-message.tsx'
import { SubmitButton } from '../../ui/submit-button.tsx'
import { signIn, signUp } from './actions.ts'

const variants = {
  'sign-in': {
    action: signIn,
    password: { autoComplete: 'current-password' },
    submit: { text: 'Sign in', pendingText: 'Signing in…' },
  },
  'sign-up': {
    action: signUp,
    password: {
      autoComplete: 'new-password',
      minLength: 8,
      maxLength: 128,
      hint: 'At least 8 characters.',
    },
    submit: { text: 'Create account', pendingText: 'Creating account…' },
  },
}

interface AccountFormProps {
  variant: keyof typeof variants
  /** The path to open after success. */
  next: string
  prefill?: { email: string; password: string } | undefined
}

/** The form that signs a user in or creates an account. Only a new account has a name. */
export function AccountForm({ variant, next, prefill }: AccountFormProps) {
  const { action, password, submit } = variants[variant]
  const [state, formAction] = useActionState(action, untouched)
  return (
    <form action={formAction} className="grid gap-5">
      <FormMessage state={state} />
      <input type="hidden" name="next" value={next} />
      {variant === 'sign-up' && (
        <Field
          label="Name"
          name="name"
          autoComplete="name"
          required
          maxLength={100}
          defaultValue={state.values['name']}
          error={state.errors['name']}
        />
      )}
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
        {...password}
        label="Password"
        name="password"
        type="password"
        required
        defaultValue={prefill?.password}
        error={state.errors['password']}
      />
      <SubmitButton pendingText={submit.pendingText}>{submit.text}</SubmitButton>
    </form>
  )
}
