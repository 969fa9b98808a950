/** The permissions that an API key can have, and what each one permits. */
export const scopes = {
  'account:read': 'Read your name and e-mail address',
  'payments:read': 'Read your payments',
  'payments:write': 'Make payments for you',
} as const

export type Scope = keyof typeof scopes
