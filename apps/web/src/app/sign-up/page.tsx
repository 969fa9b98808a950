import Link from 'next/link'
import { redirect } from 'next/navigation'
import * as api from '../../api/api.ts'
import { sameSitePath } from '../../forms/same-site.ts'
import { Page } from '../../layout/page.tsx'
import { AccountForm } from '../sign-in/account-form.tsx'

export const metadata = { title: 'Create an account' }

export default async function SignUp({ searchParams }: PageProps<'/sign-up'>) {
  const next = sameSitePath((await searchParams)['next'], '/account')
  const me = await api.me()
  if (me.outcome === 'ok') redirect(next)

  return (
    <Page
      title="Create an account"
      lead="Your account is available on every instance immediately."
      isNarrow
    >
      <AccountForm variant="sign-up" next={next} />
      <p className="text-muted">
        Already have an account?{' '}
        <Link
          href={`/sign-in?next=${encodeURIComponent(next)}`}
          prefetch={false}
          className="font-semibold text-ink underline decoration-accent decoration-2 underline-offset-4"
        >
          Sign in
        </Link>
      </p>
    </Page>
  )
}
