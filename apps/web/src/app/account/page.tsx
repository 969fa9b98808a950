import Link from 'next/link'
import { redirect } from 'next/navigation'
import * as api from '../../api/api.ts'
import { noticeIn } from '../../format/settled.ts'
import { Page } from '../../layout/page.tsx'
import { Badge } from '../../ui/badge.tsx'
import { button } from '../../ui/button-look.ts'
import { Card } from '../../ui/card.tsx'
import { Notice } from '../../ui/notice.tsx'
import { SubmitButton } from '../../ui/submit-button.tsx'
import { Unavailable } from '../../ui/unavailable.tsx'
import { revokeOthers, signOut } from './actions.ts'
import { Devices } from './devices.tsx'
import { notices } from './notices.ts'

export const metadata = { title: 'Account' }

export default async function Account({ searchParams }: PageProps<'/account'>) {
  const [me, sessions, query] = await Promise.all([api.me(), api.sessions(), searchParams])
  if (me.outcome === 'signed-out') redirect('/sign-in?next=/account')
  if (me.outcome !== 'ok') {
    const retryAfterSeconds = me.outcome === 'unavailable' ? me.retryAfterSeconds : 10
    return (
      <Page title="Account">
        <Unavailable retryAfterSeconds={retryAfterSeconds} />
      </Page>
    )
  }

  const { user } = me.value
  const notice = noticeIn(query, notices)
  const isAdministrator = user.role === 'admin'
  return (
    <Page title={user.name} lead={user.email}>
      <div className="flex flex-wrap items-center gap-4">
        <Badge tone={isAdministrator ? 'accent' : 'plain'}>
          {isAdministrator ? 'Administrator' : 'User'}
        </Badge>
        <form action={signOut}>
          <SubmitButton look="outline" size="small" pendingText="Signing out…">
            Sign out
          </SubmitButton>
        </form>
        <Link
          href="/account/keys"
          prefetch={false}
          className={button({ look: 'outline', size: 'small' })}
        >
          API keys
        </Link>
      </div>
      {notice && <Notice tone={notice.tone}>{notice.text}</Notice>}
      {sessions.outcome === 'ok' ? (
        <Card
          id="devices"
          title="Your devices"
          aside={
            sessions.value.sessions.length > 1 && (
              <form action={revokeOthers}>
                <SubmitButton look="danger" size="small" pendingText="Signing out…">
                  Sign out all other devices
                </SubmitButton>
              </form>
            )
          }
        >
          <Devices sessions={sessions.value.sessions} now={new Date()} />
        </Card>
      ) : (
        <Unavailable
          retryAfterSeconds={sessions.outcome === 'unavailable' ? sessions.retryAfterSeconds : 10}
        />
      )}
    </Page>
  )
}
