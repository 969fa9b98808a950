import { redirect } from 'next/navigation'
import * as api from '../../api/api.ts'
import { publicSettings } from '../../api/public-settings.ts'
import { inUtc } from '../../format/time.ts'
import { Page } from '../../layout/page.tsx'
import { Card } from '../../ui/card.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Unavailable } from '../../ui/unavailable.tsx'
import { formAddress, formKeyIn } from './form-address.ts'
import { PaymentForm } from './form.tsx'
import { PaymentList } from './list.tsx'

export const metadata = { title: 'Payments' }

export default async function Payments({ searchParams }: PageProps<'/payments'>) {
  const query = await searchParams
  const key = formKeyIn(query)
  // Before the calls of the API, since the page of the new address makes them.
  if (!key) redirect(formAddress(crypto.randomUUID()))
  const [me, payments, settings] = await Promise.all([api.me(), api.payments(), publicSettings()])
  if (me.outcome === 'signed-out') {
    redirect(`/sign-in?next=${encodeURIComponent(formAddress(key))}`)
  }

  const listed = payments.outcome === 'ok' ? payments.value.payments : []
  const made = listed.find(({ id }) => id === query['made'])
  const replayed = listed.find(({ id }) => id === query['again'])
  return (
    <Page title="Payments" lead="Make a payment and view your recent ones.">
      {made && <Notice tone="ok">The payment was made.</Notice>}
      {replayed && (
        <Notice tone="ok">
          This payment was already made on {inUtc(replayed.createdAt)}. Its form was sent more than
          once, and it was paid only once. To pay again, fill in the new form.
        </Notice>
      )}
      <div className="grid gap-6 lg:grid-cols-[2fr_3fr] lg:items-start">
        <Card id="new" title="New payment">
          {settings.payments === 'open' ? (
            <PaymentForm key={key} idempotencyKey={key} />
          ) : (
            <Notice tone="warn">
              Payments are closed. New payments are refused for now, and existing payments are not
              affected.
            </Notice>
          )}
        </Card>
        {payments.outcome === 'ok' ? (
          <Card id="recent" title="Recent payments">
            <PaymentList payments={payments.value.payments} newId={(made ?? replayed)?.id} />
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
