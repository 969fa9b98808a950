import type { ReactNode } from 'react'
import { servedBy } from '../api/view.ts'
import { InstanceName } from '../ui/instance-mark.tsx'
import { Announcement } from './announcement.tsx'

interface PageProps {
  title: string
  lead?: ReactNode
  isNarrow?: boolean
  children: ReactNode
}

/** The frame of every page: heading, content, and the instance that served it. */
export async function Page({ title, lead, isNarrow = false, children }: PageProps) {
  return (
    <>
      <Announcement />
      <main
        id="main"
        tabIndex={-1}
        className={`mx-auto grid w-full grow content-start gap-8 px-4 py-10 outline-none sm:px-8 sm:py-16 ${isNarrow ? 'max-w-lg' : 'max-w-6xl'}`}
      >
        <header className="grid max-w-3xl gap-4">
          <h1 className="text-4xl font-semibold tracking-tight sm:text-5xl">{title}</h1>
          {lead && <p className="text-lg text-muted">{lead}</p>}
        </header>
        {children}
      </main>
      <footer className="border-t border-line">
        <p className="mx-auto flex w-full max-w-6xl flex-wrap items-center gap-x-3 gap-y-1 px-4 py-5 text-sm text-muted sm:px-8">
          This page was served by <InstanceName id={await servedBy()} />
        </p>
      </footer>
    </>
  )
}
