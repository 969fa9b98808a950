export const notices = {
  revoked: { tone: 'ok', text: 'That device is signed out' },
  'others-revoked': { tone: 'ok', text: 'All your other devices are signed out' },
  gone: { tone: 'ok', text: 'That device was signed out before.' },
  failed: { tone: 'danger', text: 'That did not go through. Nothing has changed: try again.' },
} as const

export type NoticeCode = keyof typeof notices
