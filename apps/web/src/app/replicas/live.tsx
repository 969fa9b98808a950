'use client'

import type { View } from '../../api/view-schema.ts'
import { Button } from '../../ui/button.tsx'
import { Card } from '../../ui/card.tsx'
import { LiveSwitch } from '../../ui/live-switch.tsx'
import { RequestPathFigure } from '../../ui/request-path-figure.tsx'
import { Instances } from './instances.tsx'
import { Tally } from './tally.tsx'
import { useViews } from './use-views.ts'
import { Weave } from './weave.tsx'

/**
 * The request paths of this view and the next ones, the spread of the load, and the live instances.
 */
export function LiveReplicas({ first }: { first: View }) {
  const { views, latest, hasFailed, isLoading, load, isLive, setLive } = useViews(
    first,
    first.cluster.outcome === 'ok',
  )
  const paths = views.map(({ way }) => way)
  return (
    <div className="grid grid-cols-1 gap-6">
      <Card
        id="path"
        title="Request path"
        aside={<LiveSwitch isLive={isLive} label="Refresh every 2 seconds" onChange={setLive} />}
      >
        <div className="grid justify-items-center">
          <RequestPathFigure path={latest.way} id={latest.id} />
        </div>
        <div className="flex flex-wrap items-center gap-3">
          <Button isBusy={isLoading} onClick={() => void load(1)}>
            Load again
          </Button>
          <Button look="outline" isBusy={isLoading} onClick={() => void load(10)}>
            Load ten times
          </Button>
          <p role="status" className="text-sm text-muted">
            {hasFailed ? 'The last request failed. Try again.' : ''}
          </p>
        </div>
      </Card>
      <Card id="spread" title={views.length === 1 ? 'Last view' : `Last ${views.length} views`}>
        <Weave views={views} />
        <Tally paths={paths} />
      </Card>
      <Card id="instances" title="Instances">
        <Instances cluster={latest.cluster} />
      </Card>
    </div>
  )
}
