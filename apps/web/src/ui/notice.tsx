import type { ReactNode } from 'react'
import { tv } from 'tailwind-variants/lite'

const notice = tv({
  base: 'rounded-control border-l-4 bg-sunken px-4 py-3 text-sm',
  variants: { tone: { ok: 'border-ok', warn: 'border-warn', danger: 'border-danger' } },
})

interface NoticeProps {
  tone: 'ok' | 'warn' | 'danger'
  children: ReactNode
}

/** The result of an action. Screen readers announce a failure immediately. */
export function Notice({ tone, children }: NoticeProps) {
  return (
    <div role={tone === 'danger' ? 'alert' : 'status'} className={notice({ tone })}>
      {children}
    </div>
  )
}
