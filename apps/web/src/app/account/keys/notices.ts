export const notices = {
  revoked: { tone: 'ok', text: 'The API key is revoked' },
  gone: { tone: 'ok', text: 'The API key was already revoked.' },
  failed: { tone: 'danger', text: 'The request failed and nothing changed. Try again.' },
} as const

export type NoticeCode = keyof typeof notices
