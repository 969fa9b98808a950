import { redirect } from 'next/navigation'
import * as api from '../../api/api.ts'
import { noticeIn } from '../../format/settled.ts'
import { Page } from '../../layout/page.tsx'
import { Card } from '../../ui/card.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Pager } from '../../ui/pager.tsx'
import { Unavailable } from '../../ui/unavailable.tsx'
import { notices } from './notices.ts'
import { UserList } from './user-list.tsx'

export const metadata = { title: 'Users' }

const lead = 'A ban takes effect on every instance before this page confirms it.'
const PAGE_SIZE = 20

export default async function Users({ searchParams }: PageProps<'/users'>) {
  const query = await searchParams
  const offset = Math.max(0, Math.trunc(Number(query['offset'])) || 0)
  const [me, answer] = await Promise.all([api.me(), api.users(offset)])
  if (me.outcome === 'signed-out' || answer.outcome === 'signed-out') {
    redirect('/sign-in?next=/users')
  }
  if (answer.outcome === 'forbidden') {
    return (
      <Page title="Users">
        <p className="text-muted">Only administrators can view users.</p>
      </Page>
    )
  }
  if (answer.outcome !== 'ok' || me.outcome !== 'ok') {
    const retryAfterSeconds = answer.outcome === 'unavailable' ? answer.retryAfterSeconds : 10
    return (
      <Page title="Users" lead={lead}>
        <Unavailable retryAfterSeconds={retryAfterSeconds} />
      </Page>
    )
  }

  const { users, total } = answer.value
  const notice = noticeIn(query, notices)
  return (
    <Page title="Users" lead={lead}>
      {notice && <Notice tone={notice.tone}>{notice.text}</Notice>}
      <Card id="users" title={total === 1 ? '1 user' : `${total} users`}>
        {users.length === 0 ? (
          <p className="rounded-control bg-sunken px-4 py-8 text-center text-muted">
            There are no more users.
          </p>
        ) : (
          <UserList users={users} ownId={me.value.user.id} offset={offset} />
        )}
        <Pager path="/users" offset={offset} pageSize={PAGE_SIZE} total={total} />
      </Card>
    </Page>
  )
}
