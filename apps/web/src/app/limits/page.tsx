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

const lead = 'Counted for all instances together: what holds on one holds on every one.'

const notices = {
  blocked: { tone: 'ok', text: 'Blocked, on every instance.' },
  'let-go': { tone: 'ok', text: 'Let go, on every instance, and counted from nothing.' },
  failed: { tone: 'danger', text: 'That did not go through. Nothing has changed: try again.' },
} as const

export default async function LimitsPage({ searchParams }: PageProps<'/limits'>) {
  const [answer, query] = await Promise.all([api.limits(), searchParams])
  if (answer.outcome === 'signed-out') redirect('/sign-in?next=/limits')
  if (answer.outcome === 'forbidden') {
    return (
      <Page title="Limits">
        <p className="text-muted">Limits are for administrators, and your account is not one.</p>
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
  const policies = limits.policies.map(({ name, by }) => ({ name, by: by.join(' + ') || 'all' }))
  return (
    <Page title="Limits" lead={lead}>
      {notice && <Notice tone={notice.tone}>{notice.text}</Notice>}
      <Card
        id="policies"
        title={`The last ${activity.minutes} minutes`}
        aside={<LiveLimits everyMs={2_000} />}
      >
        <Policies limits={limits} activity={activity} />
      </Card>
      <div className="grid gap-6 lg:grid-cols-[2fr_1fr] lg:items-start">
        <div className="grid min-w-0 gap-6">
          <Card id="limited" title="Limited most">
            <Limited limited={activity.limited} />
          </Card>
          <Card id="blocked" title="Blocked">
            <Blocked blocked={activity.blocked} />
          </Card>
        </div>
        <Card id="block" title="Block somebody">
          <BlockForm policies={policies} />
        </Card>
      </div>
    </Page>
  )
}
