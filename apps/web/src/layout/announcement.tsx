import { MegaphoneIcon } from 'lucide-react'
import { publicSettings } from '../api/public-settings.ts'

/** The announcement of the administrators at the top of every page; nothing while it is empty. */
export async function Announcement() {
  const { announcement } = await publicSettings()
  if (!announcement) return null
  return (
    <aside aria-label="Announcement" className="border-b border-line bg-glow">
      <p className="mx-auto flex w-full max-w-6xl items-start gap-3 px-4 py-3 text-sm font-medium sm:px-8">
        <MegaphoneIcon aria-hidden="true" className="mt-0.5 size-4 shrink-0 text-accent" />
        <span className="min-w-0 wrap-anywhere">{announcement}</span>
      </p>
    </aside>
  )
}
