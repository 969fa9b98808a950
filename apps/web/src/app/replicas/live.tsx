'use client'

import type { View } from '../../api/view-schema.ts'
import { Button } from '../../ui/button.tsx'
import { Card } from '../../ui/card.tsx'
import { LiveSwitch } from '../../ui/live-switch.tsx'
import { RequestWay } from '../../ui/request-path.tsx'
import { Instances } from './instances.tsx'
import { Tally } from './tally.tsx'
import { useViews } from './use-views.ts'
import { Weave } from './weave.tsx'

/** This view and the ones after it: who answered, how the load spreads, and who is alive. */
export function LiveReplicas({ first }: { first: View }) {
  const { views, latest, missed, serving, serve, live, setLive } = useViews(
    first,
    first.cluster.outcome === 'ok',
  )
  const ways = views.map(({ way }) => way)
  return (
    <div className="grid grid-cols-1 gap-6">
      <Card
        id="way"
        title="The way of this view"
        aside={<LiveSwitch live={live} label="Serve every 2 seconds" onChange={setLive} />}
      >
        <div className="grid justify-items-center">
          <RequestWay way={latest.way} id={latest.id} />
        </div>
        <div className="flex flex-wrap items-center gap-3">
          <Button busy={serving} onClick={() => void serve(1)}>
            Serve again
          </Button>
          <Button look="outline" busy={serving} onClick={() => void serve(10)}>
            Serve ten times
          </Button>
          <p role="status" className="text-sm text-muted">
            {missed ? 'The last view was not served. Trying again is safe.' : ''}
          </p>
        </div>
      </Card>
      <Card id="spread" title={`The last ${views.length === 1 ? 'view' : `${views.length} views`}`}>
        <Weave ways={views} />
        <Tally ways={ways} />
      </Card>
      <Card id="instances" title="Instances">
        <Instances cluster={latest.cluster} />
      </Card>
    </div>
  )
}
