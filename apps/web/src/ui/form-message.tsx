import type { FormState } from '../forms/form-state.ts'

const box = 'rounded-control border-l-4 bg-sunken px-4 py-3 text-sm font-medium'

/** Where a form says what came of it. It is there from the start, so that its text is announced. */
export function FormMessage({ state }: { state: FormState }) {
  return (
    <>
      <div role="alert" className="empty:hidden">
        {state.message && <p className={`${box} border-danger`}>{state.message}</p>}
      </div>
      <div role="status" className="empty:hidden">
        {state.done && <p className={`${box} border-ok`}>{state.done}</p>}
      </div>
    </>
  )
}
