'use client'

import { Button } from '../ui/button.tsx'

interface ErrorPageProps {
  error: Error & { digest?: string }
  retry: () => void
}

export default function ErrorPage({ error, retry }: ErrorPageProps) {
  return (
    <main
      id="main"
      tabIndex={-1}
      className="mx-auto grid w-full max-w-6xl grow content-start justify-items-start gap-6 px-4 py-10 sm:px-8 sm:py-16"
    >
      <title>Something went wrong · Threefold</title>
      <h1 className="text-4xl font-semibold tracking-tight sm:text-5xl">Something went wrong</h1>
      <p role="alert" className="max-w-2xl text-lg text-muted">
        This page could not be loaded. Your data is safe. Try again: another instance may serve it.
      </p>
      <Button onClick={() => retry()}>Try again</Button>
      {error.digest && (
        <p className="text-sm text-muted">
          Find the details in the log under <code className="font-mono">{error.digest}</code>.
        </p>
      )}
    </main>
  )
}
