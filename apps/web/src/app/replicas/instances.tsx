import type { Instance } from '@repo/api'
import type { View } from '../../api/view-schema.ts'
import { Badge } from '../../ui/badge.tsx'
import { InstanceName } from '../../ui/instance-mark.tsx'
import { Cell, Table } from '../../ui/table.tsx'

const order = ['web', 'gateway', 'auth', 'payments']
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium', timeZone: 'UTC' })
const columns = ['Instance', 'State', 'In flight', 'Version', 'Up since (UTC)', 'Address']

/** Every live instance, for administrators; for others, why they do not see it. */
export function Instances({ cluster }: { cluster: View['cluster'] }) {
  if (cluster.outcome !== 'ok') return <p className="text-muted">{reasons[cluster.outcome]}</p>
  const sorted = cluster.instances.toSorted(
    (a, b) =>
      order.indexOf(a.app) - order.indexOf(b.app) ||
      a.id.localeCompare(b.id, 'en', { numeric: true }),
  )
  return (
    <Table caption="Live instances of every app" columns={columns}>
      {sorted.map((instance) => (
        <tr key={instance.id}>
          <Cell>
            <InstanceName id={instance.id} />
          </Cell>
          <Cell>
            <State instance={instance} />
          </Cell>
          <Cell mono>{instance.load}</Cell>
          <Cell mono>{instance.version}</Cell>
          <Cell mono>
            <time dateTime={instance.startedAt}>{clock.format(new Date(instance.startedAt))}</time>
          </Cell>
          <Cell mono>{instance.url.replace(/^https?:\/\//, '')}</Cell>
        </tr>
      ))}
    </Table>
  )
}

const reasons = {
  'signed-out': 'The table of all instances is for administrators. Sign in as one to see it.',
  forbidden: 'The table of all instances is for administrators, and your account is not one.',
  unavailable: 'The registry of instances is away. This view asks for it again with every serving.',
}

function State({ instance }: { instance: Instance }) {
  if (!instance.ready) return <Badge tone="warn">Draining</Badge>
  if (instance.drift.length === 0) return <Badge tone="ok">Ready</Badge>
  return <Badge tone="danger">Drifting: {instance.drift.join(', ')}</Badge>
}
