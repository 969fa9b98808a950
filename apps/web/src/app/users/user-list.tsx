import type { User } from '@repo/api'
import { inUtc } from '../../format/time.ts'
import { Badge } from '../../ui/badge.tsx'
import { SubmitButton } from '../../ui/submit-button.tsx'
import { ban, signOutEverywhere, unban, viewAs } from './actions.ts'

interface UserListProps {
  users: User[]
  /** Administrators cannot ban themselves. */
  ownId: string
  offset: number
}

/** Users with the actions of an administrator, the newest first. */
export function UserList({ users, ownId, offset }: UserListProps) {
  return (
    <ul className="divide-y divide-line">
      {users.map((user) => (
        <li
          key={user.id}
          className="grid items-center gap-x-6 gap-y-3 py-4 first:pt-0 last:pb-0 sm:grid-cols-[1fr_auto]"
        >
          <div className="grid min-w-0 gap-1">
            <h3 className="flex flex-wrap items-center gap-x-3 gap-y-1 font-semibold">
              {user.name} <Status user={user} />
            </h3>
            <p className="text-sm break-all text-muted">{user.email}</p>
            <p className="text-sm text-muted">
              Joined <time dateTime={user.createdAt.toISOString()}>{inUtc(user.createdAt)}</time>
            </p>
          </div>
          {user.id !== ownId && <UserActions user={user} offset={offset} />}
        </li>
      ))}
    </ul>
  )
}

function Status({ user }: { user: User }) {
  if (user.banned) return <Badge tone="danger">Banned</Badge>
  return user.role === 'admin' ? <Badge tone="accent">Administrator</Badge> : <Badge>User</Badge>
}

function UserActions({ user, offset }: { user: User; offset: number }) {
  return (
    <form action={user.banned ? unban : ban} className="flex flex-wrap gap-3">
      <input type="hidden" name="user" value={user.id} />
      <input type="hidden" name="offset" value={offset} />
      {!user.banned && user.role !== 'admin' && (
        <SubmitButton
          look="outline"
          size="small"
          formAction={viewAs}
          pendingText="Opening…"
          aria-label={`View as ${user.name}`}
        >
          View as
        </SubmitButton>
      )}
      {!user.banned && (
        <SubmitButton
          look="outline"
          size="small"
          formAction={signOutEverywhere}
          pendingText="Updating…"
          aria-label={`Sign out ${user.name} everywhere`}
        >
          Sign out
        </SubmitButton>
      )}
      <SubmitButton
        look={user.banned ? 'outline' : 'danger'}
        size="small"
        pendingText="Updating…"
        aria-label={`${user.banned ? 'Lift ban of' : 'Ban'} ${user.name}`}
      >
        {user.banned ? 'Lift ban' : 'Ban'}
      </SubmitButton>
    </form>
  )
}
