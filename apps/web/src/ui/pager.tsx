import Link from 'next/link'
import { button } from './button-look.ts'

interface PagerProps {
  path: string
  offset: number
  /** The number of entries on one page. */
  pageSize: number
  total: number
}

/** Links to the previous and the next page, where they exist. */
export function Pager({ path, offset, pageSize, total }: PagerProps) {
  if (offset === 0 && total <= pageSize) return null
  const look = button({ look: 'outline', size: 'small' })
  return (
    <nav aria-label="Pages" className="flex justify-between gap-4">
      {offset > 0 ? (
        <Link
          href={`${path}?offset=${Math.max(0, offset - pageSize)}`}
          prefetch={false}
          className={look}
        >
          Newer
        </Link>
      ) : (
        <span />
      )}
      {offset + pageSize < total && (
        <Link href={`${path}?offset=${offset + pageSize}`} prefetch={false} className={look}>
          Older
        </Link>
      )}
    </nav>
  )
}
