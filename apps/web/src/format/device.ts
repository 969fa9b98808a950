import { userAgentFromString } from 'next/server'

/** Describes a user agent: `Chrome on Linux`, or the name of a program that is not a browser. */
export function deviceOf(userAgent: string | null | undefined) {
  if (!userAgent) return 'Unknown device'
  const { browser, os } = userAgentFromString(userAgent)
  if (browser.name && os.name) return `${browser.name} on ${os.name}`
  return browser.name ?? os.name ?? userAgent.split(/[/\s]/, 1)[0] ?? 'Unknown device'
}
