import type { RequestPath } from '../../api/view-schema.ts'
import { instanceNumber } from '../../ui/instance-mark.tsx'
import { keptViews } from './use-views.ts'

const apps = ['web', 'gateway', 'auth']

interface WeaveProps {
  views: { id: string; way: RequestPath }[]
}

/** The recent views side by side: one column for each, lit where an instance answered. */
export function Weave({ views }: WeaveProps) {
  const blanks = Array.from({ length: Math.max(0, keptViews - views.length) }, (_, index) => index)
  return (
    <div className="flex gap-3">
      <ul aria-hidden="true" className="grid grid-rows-3 gap-2 font-mono text-xs text-muted">
        {apps.map((app) => (
          <li key={app} className="flex items-center">
            {app}
          </li>
        ))}
      </ul>
      <div
        role="img"
        aria-label={`The instances that served the last ${views.length} views; the counts below are the same`}
        className="flex min-w-0 grow justify-end gap-1.5 overflow-hidden rounded-control bg-sunken p-3"
      >
        {blanks.map((blank) => (
          <Stack key={blank} lit={[0, 0, 0]} />
        ))}
        {views.map(({ id, way }) => (
          <Stack key={id} lit={[way.web, way.gateway, way.auth].map(instanceNumber)} />
        ))}
      </div>
    </div>
  )
}

function Stack({ lit }: { lit: number[] }) {
  return (
    <div className="grid shrink-0 grid-rows-3 gap-2">
      {lit.map((number, stage) => (
        <Column key={apps[stage]} lit={number} />
      ))}
    </div>
  )
}

function Column({ lit }: { lit: number }) {
  const rows = Array.from({ length: Math.max(3, lit) }, (_, index) => index + 1)
  return (
    <div className="grid gap-0.5">
      {rows.map((row) => (
        <i
          key={row}
          className={`block h-2 w-2.5 rounded-xs ${row === lit ? 'bg-accent' : 'bg-line'}`}
        />
      ))}
    </div>
  )
}
