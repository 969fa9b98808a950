/** The choices of an expiry, each with its number of days. */
export const expiries = [
  { value: '7', label: 'In 7 days', days: 7 },
  { value: '30', label: 'In 30 days', days: 30 },
  { value: '90', label: 'In 90 days', days: 90 },
  { value: '365', label: 'In a year', days: 365 },
  { value: 'never', label: 'Never', days: undefined },
] as const

export const DEFAULT_EXPIRY = '90'
