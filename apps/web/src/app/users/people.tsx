import type { Person } from '../../schemas.ts'
import { inUtc } from '../../time.ts'
import { Badge } from '../../ui/badge.tsx'
import { SubmitButton } from '../../ui/submit-button.tsx'
import { Cell, Table } from '../../ui/table.tsx'
import { ban, signOutEverywhere, unban } from './actions.ts'

interface PeopleProps {
  people: Person[]
  /** Nobody bans themselves. */
  ownId: string
  offset: number
}

export function People({ people, ownId, offset }: PeopleProps) {
  return (
    <Table caption="Users, the newest first" columns={['Name', 'State', 'Since', 'Actions']}>
      {people.map((person) => (
        <tr key={person.id}>
          <Cell>
            <span className="block font-semibold">{person.name}</span>
            <span className="text-muted">{person.email}</span>
          </Cell>
          <Cell>
            <State person={person} />
          </Cell>
          <Cell mono>
            <time dateTime={person.createdAt.toISOString()}>{inUtc(person.createdAt)}</time>
          </Cell>
          <Cell>{person.id !== ownId && <Deeds person={person} offset={offset} />}</Cell>
        </tr>
      ))}
    </Table>
  )
}

function State({ person }: { person: Person }) {
  if (person.banned) return <Badge tone="danger">Banned</Badge>
  return person.role === 'admin' ? <Badge tone="accent">Administrator</Badge> : <Badge>User</Badge>
}

function Deeds({ person, offset }: { person: Person; offset: number }) {
  return (
    <form action={person.banned ? unban : ban} className="flex justify-end gap-3">
      <input type="hidden" name="user" value={person.id} />
      <input type="hidden" name="offset" value={offset} />
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
