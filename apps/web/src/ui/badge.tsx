import type { ReactNode } from 'react'
import { type VariantProps, tv } from 'tailwind-variants/lite'

const badge = tv({
  base: 'inline-flex items-center gap-1.5 rounded-full border px-2.5 py-0.5 text-xs font-semibold whitespace-nowrap',
  variants: {
    tone: {
      plain: 'border-line text-muted',
      accent: 'border-accent text-accent',
      ok: 'border-ok text-ok',
      warn: 'border-warn text-warn',
      danger: 'border-danger text-danger',
    },
  },
  defaultVariants: { tone: 'plain' },
})

export function Badge({ tone, children }: VariantProps<typeof badge> & { children: ReactNode }) {
  return <span className={badge({ tone })}>{children}</span>
}
