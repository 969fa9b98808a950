import type { Limits } from '@repo/api'
import { Badge } from '../../ui/badge.tsx'
import { SubmitButton } from '../../ui/submit-button.tsx'
import { Cell, Table } from '../../ui/table.tsx'
import { block, letGo } from './actions.ts'

const number = new Intl.NumberFormat('en-GB')

/** Each limit in force, and what it did. */
export function Policies({ limits, activity }: Limits) {
  const counts = new Map(activity.policies.map((each) => [each.policy, each]))
  return (
    <Table
      caption="Limits in force, and what they did"
      columns={['Limit', 'Quota', 'By', 'Allowed', 'Limited', 'Not decided']}
    >
      {limits.policies.map(({ name, quota, windowMs, by, algorithm, shadow }) => (
        <tr key={name}>
          <Cell>
            <span className="flex items-center gap-3 font-semibold">
              {name} {shadow && <Badge tone="warn">Counts only</Badge>}
            </span>
          </Cell>
          <Cell mono>{describeQuota(quota, windowMs, algorithm)}</Cell>
          <Cell mono>{by.join(' + ') || 'all together'}</Cell>
          <Cell mono>{number.format(counts.get(name)?.allowed ?? 0)}</Cell>
          <Cell mono>{number.format(counts.get(name)?.limited ?? 0)}</Cell>
          <Cell mono>{number.format(counts.get(name)?.unavailable ?? 0)}</Cell>
        </tr>
      ))}
    </Table>
  )
}

/** Who was refused most. */
export function Limited({ limited }: { limited: Limits['activity']['limited'] }) {
  if (limited.length === 0) return <Nobody>Nobody was limited.</Nobody>
  return (
    <Table caption="Who was limited most" columns={['Limit', 'Whom', 'Refused', 'Actions']}>
      {limited.map(({ policy, id, count }) => (
        <tr key={`${policy} ${id}`}>
          <Cell>{policy}</Cell>
          <Cell mono>{id || 'everybody'}</Cell>
          <Cell mono>{number.format(count)}</Cell>
          <Cell>
            <Deed action={block} policy={policy} id={id} label={`Block ${id} for an hour`}>
              Block
            </Deed>
          </Cell>
        </tr>
      ))}
    </Table>
  )
}

export function Blocked({ blocked }: { blocked: Limits['activity']['blocked'] }) {
  if (blocked.length === 0) return <Nobody>Nobody is blocked.</Nobody>
  return (
    <Table caption="Who is blocked" columns={['Limit', 'Whom', 'Ends in', 'Actions']}>
      {blocked.map(({ policy, id, endsInMs }) => (
        <tr key={`${policy} ${id}`}>
          <Cell>{policy}</Cell>
          <Cell mono>{id || 'everybody'}</Cell>
          <Cell mono>{describeTime(endsInMs)}</Cell>
          <Cell>
            <Deed action={letGo} policy={policy} id={id} label={`Let go ${id}`}>
              Let go
            </Deed>
          </Cell>
        </tr>
      ))}
    </Table>
  )
}

interface DeedProps {
  action: (form: FormData) => Promise<void>
  policy: string
  id: string
  label: string
  children: string
}

function Deed({ action, policy, id, label, children }: DeedProps) {
  return (
    <form action={action} className="flex justify-end">
      <input type="hidden" name="policy" value={policy} />
      <input type="hidden" name="id" value={id} />
      <SubmitButton look="outline" size="small" pendingText="Telling all…" aria-label={label}>
        {children}
      </SubmitButton>
    </form>
  )
}

function Nobody({ children }: { children: string }) {
  return <p className="rounded-control bg-sunken px-4 py-8 text-center text-muted">{children}</p>
}

function describeQuota(quota: number | 'unlimited', windowMs: number, algorithm: string): string {
  if (quota === 'unlimited') return quota
  const many = number.format(quota)
  return algorithm === 'concurrency' ? `${many} at a time` : `${many} / ${describeTime(windowMs)}`
}

function describeTime(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1_000))
  if (seconds >= 7_200) return `${Math.round(seconds / 3_600)} h`
  return seconds >= 120 ? `${Math.round(seconds / 60)} min` : `${seconds} s`
}
