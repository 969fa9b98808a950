const notices = {
  revoked: { tone: 'ok', text: 'That device is signed out, on every instance.' },
  'others-revoked': {
    tone: 'ok',
    text: 'All your other devices are signed out, on every instance.',
  },
  failed: { tone: 'danger', text: 'That did not go through. Nothing has changed: try again.' },
} as const

export type NoticeCode = keyof typeof notices

/** The words for a `?notice=`: only ours are ever shown. */
export function noticeOf(code: unknown) {
  return Object.entries(notices).find(([name]) => name === code)?.[1]
}
