import Link from 'next/link'
import { redirect } from 'next/navigation'
import * as api from '../../../api/api.ts'
import { noticeIn } from '../../../format/settled.ts'
import { Page } from '../../../layout/page.tsx'
import { button } from '../../../ui/button-look.ts'
import { Card } from '../../../ui/card.tsx'
import { Notice } from '../../../ui/notice.tsx'
import { Unavailable } from '../../../ui/unavailable.tsx'
import { KeyForm } from './form.tsx'
import { KeyList } from './list.tsx'
import { notices } from './notices.ts'

export const metadata = { title: 'API keys' }

export default async function ApiKeys({ searchParams }: PageProps<'/account/keys'>) {
  const [me, keys, query] = await Promise.all([api.me(), api.keys(), searchParams])
  if (me.outcome === 'signed-out') redirect('/sign-in?next=/account/keys')
  const notice = noticeIn(query, notices)
  return (
    <Page
      title="API keys"
      lead="A program that sends an API key acts for you, within the permissions of the key."
    >
      <p>
        <Link
          href="/account"
          prefetch={false}
          className={button({ look: 'outline', size: 'small' })}
        >
          Back to your account
        </Link>
      </p>
      {notice && <Notice tone={notice.tone}>{notice.text}</Notice>}
      <div className="grid gap-6 lg:grid-cols-[2fr_3fr] lg:items-start">
        <Card id="new" title="New key">
          <KeyForm />
        </Card>
        {keys.outcome === 'ok' ? (
          <Card id="keys" title="Your keys">
            <KeyList keys={keys.value.keys} now={new Date()} />
          </Card>
        ) : (
          <Unavailable
            retryAfterSeconds={keys.outcome === 'unavailable' ? keys.retryAfterSeconds : 10}
          />
        )}
      </div>
    </Page>
  )
}
