const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const absolute = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium',
  timeStyle: 'short',
  timeZone: 'UTC',
})

const units = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const

/** `3 minutes ago`: the same text in every time zone, so the server can render it. */
export function ago(date: Date, now: Date) {
  const seconds = Math.round((now.getTime() - date.getTime()) / 1_000)
  for (const [unit, size] of units) {
    if (seconds >= size) return relative.format(-Math.floor(seconds / size), unit)
  }
  return 'just now'
}

export function inUtc(date: Date) {
  return `${absolute.format(date)} UTC`
}
