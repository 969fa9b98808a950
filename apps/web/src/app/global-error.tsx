'use client'

import './globals.css'
import { Button } from '../ui/button.tsx'

interface GlobalErrorProps {
  retry: () => void
}

export default function GlobalError({ retry }: GlobalErrorProps) {
  return (
    <html lang="en">
      <body>
        <title>Something went wrong · Threefold</title>
        <main className="grid min-h-dvh content-center justify-items-center gap-6 p-6 text-center">
          <h1 className="text-4xl font-semibold">Something went wrong</h1>
          <p className="text-muted">
            This page could not be loaded. Try again: another instance may serve it.
          </p>
          <Button onClick={() => retry()}>Try again</Button>
        </main>
      </body>
    </html>
  )
}
