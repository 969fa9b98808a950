'use client'

import { Button as BaseButton } from '@base-ui/react/button'
import type { ComponentProps } from 'react'
import type { VariantProps } from 'tailwind-variants/lite'
import { button } from './button-look.ts'

type ButtonProps = Omit<ComponentProps<'button'>, 'ref' | 'disabled'> &
  VariantProps<typeof button> & { busy?: boolean }

/** While busy it stays focusable, so that a keyboard or a screen reader does not lose its place. */
export function Button({
  look,
  size,
  busy = false,
  className,
  type = 'button',
  ...rest
}: ButtonProps) {
  return (
    <BaseButton
      {...rest}
      type={type}
      disabled={busy}
      focusableWhenDisabled
      className={`${button({ look, size })} ${className ?? ''}`}
    />
  )
}
