'use client'

import { Button as BaseButton } from '@base-ui/react/button'
import type { ComponentProps } from 'react'
import type { VariantProps } from 'tailwind-variants/lite'
import { button } from './button-look.ts'

type ButtonProps = Omit<ComponentProps<'button'>, 'ref' | 'disabled'> &
  VariantProps<typeof button> & { isBusy?: boolean }

/** A busy button stays focusable, so that keyboards and screen readers keep their position. */
export function Button({
  look,
  size,
  isBusy = false,
  className,
  type = 'button',
  ...rest
}: ButtonProps) {
  return (
    <BaseButton
      {...rest}
      type={type}
      disabled={isBusy}
      focusableWhenDisabled
      className={`${button({ look, size })} ${className ?? ''}`}
    />
  )
}
