import type { ApiKey } from '@repo/api'
import { KeyRoundIcon } from 'lucide-react'
import { ago, inUtc } from '../../../format/time.ts'
import { Badge } from '../../../ui/badge.tsx'
import { SubmitButton } from '../../../ui/submit-button.tsx'
import { revokeKey } from './actions.ts'

interface KeyListProps {
  keys: ApiKey[]
  now: Date
}

/** The keys of a user, the newest first. */
export function KeyList({ keys, now }: KeyListProps) {
  if (keys.length === 0) {
    return (
      <p className="text-muted">
        You have no API keys. Create one to let a program act for you without your password.
      </p>
    )
  }
  return (
    <ul className="divide-y divide-line">
      {keys.map((key) => (
        <KeyItem key={key.id} apiKey={key} now={now} />
      ))}
    </ul>
  )
}

function KeyItem({ apiKey, now }: { apiKey: ApiKey; now: Date }) {
  const { id, name, scopes, createdAt, lastUsedAt, expiresAt } = apiKey
  const isExpired = expiresAt !== null && expiresAt <= now
  return (
    <li className="grid grid-cols-[auto_1fr] items-start gap-x-4 gap-y-3 py-5 first:pt-0 last:pb-0 sm:grid-cols-[auto_1fr_auto]">
      <KeyRoundIcon
        aria-hidden="true"
        className={`mt-0.5 size-5 ${isExpired ? 'text-muted' : 'text-accent'}`}
      />
      <div className="grid min-w-0 gap-1.5">
        <h3 className="flex flex-wrap items-center gap-x-3 gap-y-1 font-semibold">
          <span className="min-w-0 wrap-anywhere">{name}</span>
          {isExpired && <Badge tone="danger">Expired</Badge>}
        </h3>
        <p className="font-mono text-sm break-all text-muted">tf_{id}_…</p>
        <ul aria-label="Permissions" className="flex flex-wrap gap-1.5">
          {scopes.map((scope) => (
            <li key={scope}>
              <Badge>{scope}</Badge>
            </li>
          ))}
        </ul>
        <p className="text-sm text-muted">
          Created <Moment date={createdAt}>{ago(createdAt, now)}</Moment>,{' '}
          {lastUsedAt ? (
            <>
              last used <Moment date={lastUsedAt}>{ago(lastUsedAt, now)}</Moment>
            </>
          ) : (
            'never used'
          )}
        </p>
        <p className="text-sm text-muted">
          {expiresAt ? (
            <>
              {isExpired ? 'Expired' : 'Expires'} on{' '}
              <Moment date={expiresAt}>{inUtc(expiresAt)}</Moment>
            </>
          ) : (
            'Does not expire'
          )}
        </p>
      </div>
      <form action={revokeKey} className="max-sm:col-start-2">
        <input type="hidden" name="key" value={id} />
        <SubmitButton
          look="danger"
          size="small"
          pendingText="Revoking…"
          aria-label={`Revoke ${name}, created ${inUtc(createdAt)}`}
        >
          Revoke
        </SubmitButton>
      </form>
    </li>
  )
}

function Moment({ date, children }: { date: Date; children: string }) {
  return (
    <time dateTime={date.toISOString()} title={inUtc(date)}>
      {children}
    </time>
  )
}
