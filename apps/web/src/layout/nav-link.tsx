'use client'

import Link, { useLinkStatus } from 'next/link'
import { usePathname } from 'next/navigation'
import type { ReactNode } from 'react'

function Pending() {
  const { pending } = useLinkStatus()
  return (
    <span
      aria-hidden="true"
      className={`absolute inset-x-0 -bottom-px h-0.5 rounded-full bg-accent ${pending ? 'animate-pulse' : 'opacity-0 group-aria-[current=page]:opacity-100'}`}
    />
  )
}

/** A link of the main navigation: underlined on its page, pulsing while its page loads. */
export function NavLink({ href, children }: { href: string; children: ReactNode }) {
  const isCurrent = usePathname() === href
  return (
    <Link
      href={href}
      prefetch={false}
      aria-current={isCurrent ? 'page' : undefined}
      className="group relative inline-flex min-h-11 items-center font-medium text-muted hover:text-ink aria-[current=page]:text-ink"
    >
      {children}
      <Pending />
    </Link>
  )
}
