import type { ReactNode } from 'react'

interface CardProps {
  id: string
  title: string
  aside?: ReactNode
  children: ReactNode
}

/** A section with a heading, which names it as a landmark. */
export function Card({ id, title, aside, children }: CardProps) {
  return (
    <section
      aria-labelledby={id}
      className="grid min-w-0 grid-cols-1 content-start gap-5 rounded-card border border-line bg-surface p-5 sm:p-7"
    >
      <header className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
        <h2 id={id} className="text-lg font-semibold">
          {title}
        </h2>
        {aside}
      </header>
      {children}
    </section>
  )
}
