export const notices = {
  banned: { tone: 'ok', text: 'Banned and locked out' },
  'signed-out': { tone: 'ok', text: 'Signed out everywhere' },
  unbanned: { tone: 'ok', text: 'The ban is lifted. Sessions from before it stay ended.' },
  failed: { tone: 'danger', text: 'That did not go through. Nothing has changed: try again.' },
} as const

export type NoticeCode = keyof typeof notices
