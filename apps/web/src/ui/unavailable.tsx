'use client'

import { useRouter } from 'next/navigation'
import { useEffect, useTransition } from 'react'
import { Button } from './button.tsx'

/** The calm state: a store is away, nothing is lost, and the page asks again by itself. */
export function Unavailable({ retryAfterSeconds }: { retryAfterSeconds: number }) {
  const router = useRouter()
  const [trying, startTrying] = useTransition()
  const retry = () => startTrying(() => router.refresh())

  useEffect(() => {
    const timer = setInterval(retry, retryAfterSeconds * 1_000)
    return () => clearInterval(timer)
  })

  return (
    <section
      aria-labelledby="away"
      className="grid max-w-2xl justify-items-start gap-4 rounded-card border border-line bg-surface p-6 sm:p-8"
    >
      <div role="status" className="grid gap-2">
        <h2 id="away" className="text-xl font-semibold">
          One of our stores is away
        </h2>
        <p className="text-muted">
          Nothing is lost and you are still signed in. This page asks again every{' '}
          {retryAfterSeconds} seconds until it is back.
        </p>
      </div>
      <Button look="outline" busy={trying} onClick={retry}>
        {trying ? 'Trying again…' : 'Try now'}
      </Button>
      <noscript>
        <p className="text-sm text-muted">Load the page again in a moment.</p>
      </noscript>
    </section>
  )
}
