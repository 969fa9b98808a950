import type { Limits } from '@repo/api'
import { Badge } from '../../ui/badge.tsx'
import { SubmitButton } from '../../ui/submit-button.tsx'
import { Cell, Table } from '../../ui/table.tsx'
import { block, unblock } from './actions.ts'

const number = new Intl.NumberFormat('en-GB')

/** Each limit in force, with its decisions. */
export function Policies({ limits, activity }: Limits) {
  const counts = new Map(activity.policies.map((count) => [count.policy, count]))
  return (
    <Table
      caption="Limits in force and their decisions"
      columns={['Limit', 'Quota', 'Counted by', 'Allowed', 'Limited', 'Undecided']}
    >
      {limits.policies.map(({ name, quota, windowMs, by, algorithm, shadow }) => (
        <tr key={name}>
          <Cell>
            <span className="flex items-center gap-3 font-semibold">
              {name} {shadow && <Badge tone="warn">Counts only</Badge>}
            </span>
          </Cell>
          <Cell mono>{describeQuota(quota, windowMs, algorithm)}</Cell>
          <Cell mono>{by.join(' + ') || 'all requests'}</Cell>
          <Cell mono>{number.format(counts.get(name)?.allowed ?? 0)}</Cell>
          <Cell mono>{number.format(counts.get(name)?.limited ?? 0)}</Cell>
          <Cell mono>{number.format(counts.get(name)?.unavailable ?? 0)}</Cell>
        </tr>
      ))}
    </Table>
  )
}

/** The keys with the most refused requests. */
export function Limited({ limited }: { limited: Limits['activity']['limited'] }) {
  if (limited.length === 0) return <Empty>No key was limited.</Empty>
  return (
    <Table
      caption="Refused requests of the most limited keys"
      columns={['Limit', 'Key', 'Refused', 'Actions']}
    >
      {limited.map(({ policy, id, count }) => (
        <tr key={`${policy} ${id}`}>
          <Cell>{policy}</Cell>
          <Cell mono>{id || 'all requests'}</Cell>
          <Cell mono>{number.format(count)}</Cell>
          <Cell>
            <KeyAction action={block} policy={policy} id={id} label={`Block ${id} for 1 hour`}>
              Block
            </KeyAction>
          </Cell>
        </tr>
      ))}
    </Table>
  )
}

export function Blocked({ blocked }: { blocked: Limits['activity']['blocked'] }) {
  if (blocked.length === 0) return <Empty>No key is blocked.</Empty>
  return (
    <Table caption="Blocked keys and their end" columns={['Limit', 'Key', 'Ends in', 'Actions']}>
      {blocked.map(({ policy, id, endsInMs }) => (
        <tr key={`${policy} ${id}`}>
          <Cell>{policy}</Cell>
          <Cell mono>{id || 'all requests'}</Cell>
          <Cell mono>{describeTime(endsInMs)}</Cell>
          <Cell>
            <KeyAction action={unblock} policy={policy} id={id} label={`Unblock ${id}`}>
              Unblock
            </KeyAction>
          </Cell>
        </tr>
      ))}
    </Table>
  )
}

interface KeyActionProps {
  action: (form: FormData) => Promise<void>
  policy: string
  id: string
  label: string
  children: string
}

function KeyAction({ action, policy, id, label, children }: KeyActionProps) {
  return (
    <form action={action} className="flex justify-end">
      <input type="hidden" name="policy" value={policy} />
      <input type="hidden" name="id" value={id} />
      <SubmitButton look="outline" size="small" pendingText="Updating…" aria-label={label}>
        {children}
      </SubmitButton>
    </form>
  )
}

function Empty({ children }: { children: string }) {
  return <p className="rounded-control bg-sunken px-4 py-8 text-center text-muted">{children}</p>
}

function describeQuota(quota: number | 'unlimited', windowMs: number, algorithm: string): string {
  if (quota === 'unlimited') return quota
  const limit = number.format(quota)
  return algorithm === 'concurrency' ? `${limit} at a time` : `${limit} / ${describeTime(windowMs)}`
}

function describeTime(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1_000))
  if (seconds >= 7_200) return `${Math.round(seconds / 3_600)} h`
  return seconds >= 120 ? `${Math.round(seconds / 60)} min` : `${seconds} s`
}
