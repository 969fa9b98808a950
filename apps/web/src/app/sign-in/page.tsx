import Link from 'next/link'
import { redirect } from 'next/navigation'
import * as api from '../../api/api.ts'
import { settings } from '../../env.ts'
import { sameSitePath } from '../../forms/same-site.ts'
import { Page } from '../../layout/page.tsx'
import { AccountForm } from './account-form.tsx'
import { accountOf, DemoAccounts } from './demo.tsx'

export const metadata = { title: 'Sign in' }

export default async function SignIn({ searchParams }: PageProps<'/sign-in'>) {
  const query = await searchParams
  const next = sameSitePath(query['next'], '/account')
  const me = await api.me()
  if (me.outcome === 'ok') redirect(next)

  const { DEMO } = settings()
  const demo = DEMO ? accountOf(query['as']) : undefined
  return (
    <Page title="Sign in" lead="Sign in once. Every instance accepts your session." isNarrow>
      {DEMO && <DemoAccounts next={next} />}
      <AccountForm key={demo?.email} variant="sign-in" next={next} prefill={demo} />
      <p className="text-muted">
        No account yet?{' '}
        <Link
          href={`/sign-up?next=${encodeURIComponent(next)}`}
          prefetch={false}
          className="font-semibold text-ink underline decoration-accent decoration-2 underline-offset-4"
        >
          Create one
        </Link>
      </p>
    </Page>
  )
}
