import { redirect } from 'next/navigation'
import * as api from '../../api/api.ts'
import { Page } from '../../layout/page.tsx'
import { Card } from '../../ui/card.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Unavailable } from '../../ui/unavailable.tsx'
import { BlockForm } from './block-form.tsx'
import { LiveLimits } from './live.tsx'
import { Blocked, Limited, Policies } from './tables.tsx'

export const metadata = { title: 'Limits' }

const lead = 'Each limit counts the requests to all instances together.'

const notices = {
  blocked: { tone: 'ok', text: 'The key is blocked on every instance.' },
  unblocked: { tone: 'ok', text: 'The key is unblocked on every instance. Its count is zero.' },
  failed: { tone: 'danger', text: 'The request failed and nothing changed. Try again.' },
} as const

export default async function LimitsPage({ searchParams }: PageProps<'/limits'>) {
  const [answer, query] = await Promise.all([api.limits(), searchParams])
  if (answer.outcome === 'signed-out') redirect('/sign-in?next=/limits')
  if (answer.outcome === 'forbidden') {
    return (
      <Page title="Limits">
        <p className="text-muted">Only administrators can view limits.</p>
      </Page>
    )
  }
  if (answer.outcome !== 'ok') {
    const retryAfterSeconds = answer.outcome === 'unavailable' ? answer.retryAfterSeconds : 10
    return (
      <Page title="Limits" lead={lead}>
        <Unavailable retryAfterSeconds={retryAfterSeconds} />
      </Page>
    )
  }

  const { limits, activity } = answer.value
  const notice = Object.entries(notices).find(([code]) => code === query['notice'])?.[1]
  const policies = limits.policies.map(({ name, by }) => ({
    name,
    by: by.join(' + ') || 'all requests',
  }))
  return (
    <Page title="Limits" lead={lead}>
      {notice && <Notice tone={notice.tone}>{notice.text}</Notice>}
      <Card
        id="policies"
        title={`Last ${activity.minutes} minutes`}
        aside={<LiveLimits everyMs={2_000} />}
      >
        <Policies limits={limits} activity={activity} />
      </Card>
      <div className="grid gap-6 lg:grid-cols-[2fr_1fr] lg:items-start">
        <div className="grid min-w-0 gap-6">
          <Card id="limited" title="Most limited keys">
            <Limited limited={activity.limited} />
          </Card>
          <Card id="blocked" title="Blocked keys">
            <Blocked blocked={activity.blocked} />
          </Card>
        </div>
        <Card id="block" title="Block a key">
          <BlockForm policies={policies} />
        </Card>
      </div>
    </Page>
  )
}
