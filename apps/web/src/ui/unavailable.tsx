'use client'

import { useRouter } from 'next/navigation'
import { useEffect, useTransition } from 'react'
import { Button } from './button.tsx'

/** Shown while a store is unavailable. The page loads again automatically. */
export function Unavailable({ retryAfterSeconds }: { retryAfterSeconds: number }) {
  const router = useRouter()
  const [isRetrying, startRetrying] = useTransition()
  const retry = () => startRetrying(() => router.refresh())

  useEffect(() => {
    const timer = setInterval(retry, retryAfterSeconds * 1_000)
    return () => clearInterval(timer)
  })

  return (
    <section
      aria-labelledby="unavailable"
      className="grid max-w-2xl justify-items-start gap-4 rounded-card border border-line bg-surface p-6 sm:p-8"
    >
      <div role="status" className="grid gap-2">
        <h2 id="unavailable" className="text-xl font-semibold">
          A service is temporarily unavailable
        </h2>
        <p className="text-muted">
          Your data is safe and you are still signed in. This page tries again every{' '}
          {retryAfterSeconds} seconds.
        </p>
      </div>
      <Button look="outline" isBusy={isRetrying} onClick={retry}>
        {isRetrying ? 'Trying again…' : 'Try again now'}
      </Button>
      <noscript>
        <p className="text-sm text-muted">Reload the page in a moment.</p>
      </noscript>
    </section>
  )
}
