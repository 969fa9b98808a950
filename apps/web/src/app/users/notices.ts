export const notices = {
  banned: { tone: 'ok', text: 'The user is banned and signed out' },
  'signed-out': { tone: 'ok', text: 'The user is signed out everywhere' },
  unbanned: { tone: 'ok', text: 'The ban is lifted. Sessions that it ended stay ended.' },
  failed: { tone: 'danger', text: 'The request failed and nothing changed. Try again.' },
} as const

export type NoticeCode = keyof typeof notices
