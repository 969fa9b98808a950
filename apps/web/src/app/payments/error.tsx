'use client'

import { Button } from '../../ui/button.tsx'

/** Shown when the response to a form was lost, or the page failed. The form has the same key again. */
export default function PaymentsError({ retry }: { error: Error; retry: () => void }) {
  return (
    <main
      id="main"
      tabIndex={-1}
      className="mx-auto grid w-full max-w-6xl grow content-start justify-items-start gap-6 px-4 py-10 sm:px-8 sm:py-16"
    >
      <title>No response · Threefold</title>
      <h1 className="text-4xl font-semibold tracking-tight sm:text-5xl">No response</h1>
      <p role="alert" className="max-w-2xl text-lg text-muted">
        The response did not arrive. If you sent a payment, it may have been made. Show the form
        again, and look for your payment under Recent payments. You can also send the same values
        again: you pay once.
      </p>
      <Button onClick={() => retry()}>Show the form again</Button>
    </main>
  )
}
