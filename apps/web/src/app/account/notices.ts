import { describeSettled, settledIn } from '../../settled.ts'

const notices = {
  revoked: { tone: 'ok', text: 'That device is signed out' },
  'others-revoked': { tone: 'ok', text: 'All your other devices are signed out' },
  gone: { tone: 'ok', text: 'That device was signed out before.' },
  failed: { tone: 'danger', text: 'That did not go through. Nothing has changed: try again.' },
} as const

export type NoticeCode = keyof typeof notices

/** The words for a `?notice=`: only ours are ever shown, and numbers. */
export function noticeOf(query: Record<string, string | string[] | undefined>) {
  const notice = Object.entries(notices).find(([name]) => name === query['notice'])?.[1]
  if (!notice || notice.text.endsWith('.')) return notice
  return { ...notice, text: `${notice.text}: ${describeSettled(settledIn(query))}.` }
}
