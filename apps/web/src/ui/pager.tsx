import Link from 'next/link'
import { button } from './button-look.ts'

interface PagerProps {
  path: string
  offset: number
  /** How many are shown at a time. */
  page: number
  total: number
}

/** To the page before and the next one, where there are any. */
export function Pager({ path, offset, page, total }: PagerProps) {
  if (offset === 0 && total <= page) return null
  const look = button({ look: 'outline', size: 'small' })
  return (
    <nav aria-label="Pages" className="flex justify-between gap-4">
      {offset > 0 ? (
        <Link
          href={`${path}?offset=${Math.max(0, offset - page)}`}
          prefetch={false}
          className={look}
        >
          Newer
        </Link>
      ) : (
        <span />
      )}
      {offset + page < total && (
        <Link href={`${path}?offset=${offset + page}`} prefetch={false} className={look}>
          Older
        </Link>
      )}
    </nav>
  )
}
