import type { User } from '@repo/api'
import { inUtc } from '../../format/time.ts'
import { Badge } from '../../ui/badge.tsx'
import { SubmitButton } from '../../ui/submit-button.tsx'
import { ban, signOutEverywhere, unban, viewAs } from './actions.ts'

interface PeopleProps {
  people: User[]
  /** Nobody bans themselves. */
  ownId: string
  offset: number
}

/** The newest first. */
export function People({ people, ownId, offset }: PeopleProps) {
  return (
    <ul className="divide-y divide-line">
      {people.map((person) => (
        <li
          key={person.id}
          className="grid items-center gap-x-6 gap-y-3 py-4 first:pt-0 last:pb-0 sm:grid-cols-[1fr_auto]"
        >
          <div className="grid min-w-0 gap-1">
            <h3 className="flex flex-wrap items-center gap-x-3 gap-y-1 font-semibold">
              {person.name} <State person={person} />
            </h3>
            <p className="text-sm break-all text-muted">{person.email}</p>
            <p className="text-sm text-muted">
              Since <time dateTime={person.createdAt.toISOString()}>{inUtc(person.createdAt)}</time>
            </p>
          </div>
          {person.id !== ownId && <Deeds person={person} offset={offset} />}
        </li>
      ))}
    </ul>
  )
}

function State({ person }: { person: User }) {
  if (person.banned) return <Badge tone="danger">Banned</Badge>
  return person.role === 'admin' ? <Badge tone="accent">Administrator</Badge> : <Badge>User</Badge>
}

function Deeds({ person, offset }: { person: User; offset: number }) {
  return (
    <form action={person.banned ? unban : ban} className="flex flex-wrap gap-3">
      <input type="hidden" name="user" value={person.id} />
      <input type="hidden" name="offset" value={offset} />
      {!person.banned && person.role !== 'admin' && (
        <SubmitButton
          look="outline"
          size="small"
          formAction={viewAs}
          pendingText="Opening…"
          aria-label={`View as ${person.name}`}
        >
          View as
        </SubmitButton>
      )}
      {!person.banned && (
        <SubmitButton
          look="outline"
          size="small"
          formAction={signOutEverywhere}
          pendingText="Telling all…"
          aria-label={`Sign out ${person.name} everywhere`}
        >
          Sign out
        </SubmitButton>
      )}
      <SubmitButton
        look={person.banned ? 'outline' : 'danger'}
        size="small"
        pendingText="Telling all…"
        aria-label={`${person.banned ? 'Lift ban of' : 'Ban'} ${person.name}`}
      >
        {person.banned ? 'Lift ban' : 'Ban'}
      </SubmitButton>
    </form>
  )
}
