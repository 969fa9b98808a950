import { redirect } from 'next/navigation'
import * as api from '../../api/api.ts'
import { publicSettings } from '../../api/public-settings.ts'
import { Page } from '../../layout/page.tsx'
import { Card } from '../../ui/card.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Unavailable } from '../../ui/unavailable.tsx'
import { PaymentForm } from './form.tsx'
import { PaymentList } from './list.tsx'

export const metadata = { title: 'Payments' }

export default async function Payments({ searchParams }: PageProps<'/payments'>) {
  const [me, payments, query, settings] = await Promise.all([
    api.me(),
    api.payments(),
    searchParams,
    publicSettings(),
  ])
  if (me.outcome === 'signed-out') redirect('/sign-in?next=/payments')

  const made =
    payments.outcome === 'ok'
      ? payments.value.payments.find(({ id }) => id === query['made'])
      : undefined
  return (
    <Page title="Payments" lead="Make a payment and view your recent ones.">
      {made && <Notice tone="ok">The payment was made.</Notice>}
      <div className="grid gap-6 lg:grid-cols-[2fr_3fr] lg:items-start">
        <Card id="new" title="New payment">
          {settings.payments === 'open' ? (
            <PaymentForm key={made?.id} idempotencyKey={crypto.randomUUID()} />
          ) : (
            <Notice tone="warn">
              Payments are closed. New payments are refused for now, and existing payments are not
              affected.
            </Notice>
          )}
        </Card>
        {payments.outcome === 'ok' ? (
          <Card id="recent" title="Recent payments">
            <PaymentList payments={payments.value.payments} newId={made?.id} />
          </Card>
        ) : (
          <Unavailable
            retryAfterSeconds={payments.outcome === 'unavailable' ? payments.retryAfterSeconds : 10}
          />
        )}
      </div>
    </Page>
  )
}
