import type { Session } from '@repo/api'
import { MonitorSmartphoneIcon } from 'lucide-react'
import { formatAddress } from '../../format/address.ts'
import { deviceOf } from '../../format/device.ts'
import { ago, inUtc } from '../../format/time.ts'
import { Badge } from '../../ui/badge.tsx'
import { SubmitButton } from '../../ui/submit-button.tsx'
import { revokeSession } from './actions.ts'

interface DevicesProps {
  sessions: Session[]
  now: Date
}

/** The sessions of a user as devices, the current one first. */
export function Devices({ sessions, now }: DevicesProps) {
  const byRecency = sessions.toSorted(
    (a, b) =>
      Number(b.current) - Number(a.current) || b.lastSeenAt.getTime() - a.lastSeenAt.getTime(),
  )
  return (
    <ul className="divide-y divide-line">
      {byRecency.map((session) => (
        <Device key={session.id} session={session} now={now} />
      ))}
    </ul>
  )
}

function Device({ session, now }: { session: Session; now: Date }) {
  const { current } = session
  const device = deviceOf(session.agent)
  return (
    <li className="grid grid-cols-[auto_1fr] items-start gap-x-4 gap-y-3 py-5 first:pt-0 last:pb-0 sm:grid-cols-[auto_1fr_auto]">
      <MonitorSmartphoneIcon
        aria-hidden="true"
        className={`mt-0.5 size-5 ${current ? 'text-accent' : 'text-muted'}`}
      />
      <div className="grid min-w-0 gap-1">
        <h3 className="flex flex-wrap items-center gap-x-3 gap-y-1 font-semibold">
          {device}
          {current && <Badge tone="accent">This device</Badge>}
        </h3>
        <p className="text-sm text-muted">
          <span className="font-mono break-all">
            {session.address ? formatAddress(session.address) : 'Unknown address'}
          </span>
        </p>
        <p className="text-sm text-muted">
          Signed in <Moment date={session.createdAt} now={now} />, last active{' '}
          <Moment date={session.lastSeenAt} now={now} />
        </p>
      </div>
      {!current && (
        <form action={revokeSession} className="max-sm:col-start-2">
          <input type="hidden" name="session" value={session.id} />
          <SubmitButton
            look="outline"
            size="small"
            pendingText="Signing out…"
            aria-label={`Sign out ${device}, signed in ${inUtc(session.createdAt)}`}
          >
            Sign out
          </SubmitButton>
        </form>
      )}
    </li>
  )
}

function Moment({ date, now }: { date: Date; now: Date }) {
  return (
    <time dateTime={date.toISOString()} title={inUtc(date)}>
      {ago(date, now)}
    </time>
  )
}
