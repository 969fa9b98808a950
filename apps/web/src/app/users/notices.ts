import { describeSettled, settledIn } from '../../settled.ts'

const notices = {
  banned: { tone: 'ok', text: 'Banned and locked out' },
  'signed-out': { tone: 'ok', text: 'Signed out everywhere' },
  unbanned: { tone: 'ok', text: 'The ban is lifted. Sessions from before it stay ended.' },
  failed: { tone: 'danger', text: 'That did not go through. Nothing has changed: try again.' },
} as const

export type NoticeCode = keyof typeof notices

/** The words for a `?notice=`: only ours are ever shown, and numbers. */
export function noticeOf(query: Record<string, string | string[] | undefined>) {
  const notice = Object.entries(notices).find(([name]) => name === query['notice'])?.[1]
  if (!notice || notice.text.endsWith('.')) return notice
  return { ...notice, text: `${notice.text}: ${describeSettled(settledIn(query))}.` }
}
