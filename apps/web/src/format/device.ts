import { userAgentFromString } from 'next/server'

/** A user agent in words: `Chrome on Linux`, or the program's own name where it is no browser. */
export function deviceOf(userAgent: string | null | undefined) {
  if (!userAgent) return 'Unknown device'
  const { browser, os } = userAgentFromString(userAgent)
  if (browser.name && os.name) return `${browser.name} on ${os.name}`
  return browser.name ?? os.name ?? userAgent.split(/[/\s]/, 1)[0] ?? 'Unknown device'
}
