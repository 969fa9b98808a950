import type { ReactNode } from 'react'

interface TableProps {
  caption: string
  columns: string[]
  children: ReactNode
}

/** A table that scrolls in its region, which a keyboard can reach, so that the page never does. */
export function Table({ caption, columns, children }: TableProps) {
  return (
    <div role="region" aria-label={caption} tabIndex={0} className="-mx-1 overflow-x-auto px-1">
      <table className="w-full border-collapse text-left text-sm">
        <caption className="sr-only">{caption}</caption>
        <thead>
          <tr className="border-b border-line text-muted">
            {columns.map((column) => (
              <th
                key={column}
                scope="col"
                className="py-2 pr-6 font-medium whitespace-nowrap last:pr-0"
              >
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-line">{children}</tbody>
      </table>
    </div>
  )
}

interface CellProps {
  children: ReactNode
  mono?: boolean
}

export function Cell({ children, mono = false }: CellProps) {
  return (
    <td className={`py-3 pr-6 align-middle last:pr-0 ${mono ? 'font-mono whitespace-nowrap' : ''}`}>
      {children}
    </td>
  )
}
