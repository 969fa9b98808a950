import type { Instance } from '@repo/api'
import type { View } from '../../api/view-schema.ts'
import { Badge } from '../../ui/badge.tsx'
import { InstanceName } from '../../ui/instance-mark.tsx'
import { Cell, Table } from '../../ui/table.tsx'

const order = ['web', 'gateway', 'auth', 'payments']
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium', timeZone: 'UTC' })
const columns = ['Instance', 'Status', 'In flight', 'Version', 'Started (UTC)', 'Address']

/** Every live instance for administrators, and the reason why others do not see the table. */
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
            <Status instance={instance} />
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
  'signed-out': 'Only administrators can view the instances. Sign in as an administrator.',
  forbidden: 'Only administrators can view the instances.',
  unavailable: 'The registry of instances is unavailable. The next refresh reads it again.',
}

function Status({ instance }: { instance: Instance }) {
  if (!instance.ready) return <Badge tone="warn">Draining</Badge>
  if (instance.drift.length === 0) return <Badge tone="ok">Ready</Badge>
  return <Badge tone="danger">Settings differ: {instance.drift.join(', ')}</Badge>
}
