import Link from 'next/link'
import { redirect } from 'next/navigation'
import * as api from '../../api/api.ts'
import { sameSitePath } from '../../forms/same-site.ts'
import { Page } from '../../layout/page.tsx'
import { SignUpForm } from './form.tsx'

export const metadata = { title: 'Make an account' }

export default async function SignUp({ searchParams }: PageProps<'/sign-up'>) {
  const next = sameSitePath((await searchParams)['next'], '/account')
  const me = await api.me()
  if (me.outcome === 'ok') redirect(next)

  return (
    <Page
      title="Make an account"
      lead="One instance writes it down; all of them can read it."
      narrow
    >
      <SignUpForm next={next} />
      <p className="text-muted">
        You have one?{' '}
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
