'use client'

import type { ComponentProps } from 'react'
import { useFormStatus } from 'react-dom'
import { Button } from './button.tsx'

type SubmitButtonProps = ComponentProps<typeof Button> & { pendingText: string }

/** Submits its form, and shows `pendingText` until the answer arrives. */
export function SubmitButton({ children, pendingText, ...rest }: SubmitButtonProps) {
  const { pending } = useFormStatus()
  return (
    <Button {...rest} type="submit" isBusy={pending}>
      {pending ? pendingText : children}
    </Button>
  )
}
