import { EyeIcon } from 'lucide-react'
import * as api from '../api/api.ts'
import { SubmitButton } from '../ui/submit-button.tsx'
import { stopImpersonating } from './impersonation-action.ts'

/** Shown at the top of every page that an administrator views as another user. */
export async function ImpersonationBanner() {
  const me = await api.me()
  if (me.outcome !== 'ok' || !me.value.actor) return null
  const { user, actor } = me.value
  return (
    <aside aria-label="Impersonation" className="border-b-2 border-warn bg-sunken">
      <div className="mx-auto flex w-full max-w-6xl flex-wrap items-center gap-x-6 gap-y-2 px-4 py-3 sm:px-8">
        <p className="flex min-w-0 flex-1 basis-64 items-start gap-3 text-sm">
          <EyeIcon aria-hidden="true" className="mt-0.5 size-4 shrink-0 text-warn" />
          <span className="min-w-0 wrap-anywhere">
            You are viewing the pages of <strong>{user.name}</strong> ({user.email}) as
            administrator <strong>{actor.name}</strong>. You can read everything and change nothing.
          </span>
        </p>
        <form action={stopImpersonating}>
          <SubmitButton look="outline" size="small" pendingText="Stopping…">
            Stop impersonating
          </SubmitButton>
        </form>
      </div>
    </aside>
  )
}
