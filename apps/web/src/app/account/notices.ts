export const notices = {
  revoked: { tone: 'ok', text: 'The device is signed out' },
  'others-revoked': { tone: 'ok', text: 'All other devices are signed out' },
  gone: { tone: 'ok', text: 'The device was already signed out.' },
  failed: { tone: 'danger', text: 'The request failed and nothing changed. Try again.' },
} as const

export type NoticeCode = keyof typeof notices
