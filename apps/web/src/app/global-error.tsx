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
        <title>Something broke · Threefold</title>
        <main className="grid min-h-dvh content-center justify-items-center gap-6 p-6 text-center">
          <h1 className="text-4xl font-semibold">Something broke</h1>
          <p className="text-muted">
            This page could not be made. Another instance may well make it.
          </p>
          <Button onClick={() => retry()}>Try again</Button>
        </main>
      </body>
    </html>
  )
}
