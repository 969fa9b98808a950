import Link from 'next/link'
import type { FormState } from '../forms/form-state.ts'

const box = 'rounded-control border-l-4 bg-sunken px-4 py-3 text-sm font-medium'

/**
 * The result of a form. The empty element exists first, so that screen readers announce its text.
 */
export function FormMessage({ state }: { state: FormState }) {
  return (
    <>
      <div role="alert" className="empty:hidden">
        {state.message && (
          <p className={`${box} border-danger`}>
            {state.message}
            {state.next && (
              <>
                {' '}
                <Link
                  href={state.next.href}
                  prefetch={false}
                  className="inline-flex min-h-6 items-center underline underline-offset-4"
                >
                  {state.next.text}
                </Link>
              </>
            )}
          </p>
        )}
      </div>
      <div role="status" className="empty:hidden">
        {state.result && <p className={`${box} border-ok`}>{state.result}</p>}
      </div>
    </>
  )
}
