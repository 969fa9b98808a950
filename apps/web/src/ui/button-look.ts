import { tv } from 'tailwind-variants/lite'

/** The styles of a button, in a separate module so that a link with them needs no client code. */
export const button = tv({
  base: 'inline-flex cursor-pointer items-center justify-center gap-2 rounded-control text-center font-semibold transition-colors duration-150 data-disabled:cursor-progress data-disabled:opacity-70',
  variants: {
    look: {
      solid: 'bg-accent text-on-accent hover:bg-accent/90',
      outline: 'border border-edge bg-surface text-ink hover:border-ink hover:bg-sunken',
      danger: 'border border-edge bg-surface text-danger hover:border-danger',
    },
    size: { small: 'min-h-9 px-3 text-sm whitespace-nowrap', medium: 'min-h-11 px-5 text-base' },
  },
  defaultVariants: { look: 'solid', size: 'medium' },
})
