import type { Payment } from '@repo/api'
import { formatAmount } from '../../format/money.ts'
import { inUtc } from '../../format/time.ts'

interface PaymentListProps {
  payments: Payment[]
  newId: string | undefined
}

export function PaymentList({ payments, newId }: PaymentListProps) {
  if (payments.length === 0) {
    return (
      <p className="rounded-control bg-sunken px-4 py-8 text-center text-muted">
        You have no payments yet.
      </p>
    )
  }
  const newestFirst = payments.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime())
  return (
    <ul className="divide-y divide-line">
      {newestFirst.map(({ id, amount, currency, reference, createdAt }) => (
        <li
          key={id}
          className={`grid grid-cols-[1fr_auto] items-baseline gap-x-4 gap-y-1 py-4 first:pt-0 last:pb-0 ${id === newId ? 'border-l-4 border-l-accent pl-4' : ''}`}
        >
          <p className="min-w-0 font-medium break-words">{reference}</p>
          <p className="text-right font-mono font-semibold tabular-nums">
            {formatAmount(amount, currency)}
          </p>
          <p className="col-span-2 text-sm text-muted">
            <time dateTime={createdAt.toISOString()}>{inUtc(createdAt)}</time>
          </p>
        </li>
      ))}
    </ul>
  )
}
