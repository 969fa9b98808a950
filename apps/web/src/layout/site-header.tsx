import Link from 'next/link'
import * as api from '../api/api.ts'
import { readTheme } from '../theme/read-theme.ts'
import { ThemeToggle } from '../theme/theme-toggle.tsx'
import { InstanceMark } from '../ui/instance-mark.tsx'
import { NavLink } from './nav-link.tsx'

export async function SiteHeader() {
  const [me, theme] = await Promise.all([api.me(), readTheme()])
  return (
    <header className="border-b border-line">
      <div className="mx-auto flex w-full max-w-6xl flex-wrap items-center gap-x-8 gap-y-1 px-4 py-2 sm:px-8">
        <Link
          href="/"
          prefetch={false}
          className="inline-flex min-h-11 items-center gap-2.5 text-lg font-bold tracking-tight"
        >
          <InstanceMark lit={2} className="h-5" />
          Threefold
        </Link>
        <nav aria-label="Main" className="order-3 flex flex-wrap gap-x-6 max-sm:w-full sm:order-2">
          <NavLink href="/replicas">Replicas</NavLink>
          <NavLink href="/payments">Payments</NavLink>
          {me.outcome === 'ok' && me.value.user.role === 'admin' && (
            <>
              <NavLink href="/users">Users</NavLink>
              <NavLink href="/limits">Limits</NavLink>
              <NavLink href="/settings">Settings</NavLink>
            </>
          )}
          {me.outcome === 'signed-out' ? (
            <NavLink href="/sign-in">Sign in</NavLink>
          ) : (
            <NavLink href="/account">Account</NavLink>
          )}
        </nav>
        <div className="order-2 ml-auto sm:order-3">
          <ThemeToggle theme={theme} />
        </div>
      </div>
    </header>
  )
}
