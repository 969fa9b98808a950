import { Meter } from '@base-ui/react/meter'
import type { RequestPath } from '../../api/view-schema.ts'
import { InstanceName } from '../../ui/instance-mark.tsx'

const apps = ['web', 'gateway', 'auth'] as const

function count(paths: RequestPath[], app: (typeof apps)[number]) {
  const counts = new Map([1, 2, 3].map((number) => [`${app}-${number}`, 0]))
  for (const path of paths) {
    const id = path[app] ?? 'no answer'
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return [...counts]
}

/** The number of recent views that each instance served. */
export function Tally({ paths }: { paths: RequestPath[] }) {
  return (
    <div className="grid gap-6 sm:grid-cols-3">
      {apps.map((app) => (
        <ul key={app} aria-label={`Views by ${app} instance`} className="grid content-start gap-3">
          {count(paths, app).map(([id, times]) => (
            <li key={id}>
              <Meter.Root
                aria-label={`${id}: ${times} of ${paths.length}`}
                value={times}
                max={paths.length}
                className="grid grid-cols-[1fr_auto] gap-y-1.5"
              >
                <Meter.Label>
                  <InstanceName id={id} />
                </Meter.Label>
                <Meter.Value className="font-mono text-sm text-muted tabular-nums">
                  {() => times}
                </Meter.Value>
                <Meter.Track className="col-span-2 h-1.5 overflow-hidden rounded-full bg-line">
                  <Meter.Indicator className="rounded-full bg-accent transition-[width] duration-300" />
                </Meter.Track>
              </Meter.Root>
            </li>
          ))}
        </ul>
      ))}
    </div>
  )
}
