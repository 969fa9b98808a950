import type { FormState } from '../form-state.ts'

/** Where a form says why it was refused. It is there from the start, so that its text is announced. */
export function FormMessage({ state }: { state: FormState }) {
  return (
    <div role="alert" className="empty:hidden">
      {state.message && (
        <p className="rounded-control border-l-4 border-danger bg-sunken px-4 py-3 text-sm font-medium">
          {state.message}
        </p>
      )}
    </div>
  )
}
