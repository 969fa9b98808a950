/** The caller, as the gateway authenticated it. */
export interface Identity {
  userId: string
  email: string
  role: string
  sessionId: string
  /** The administrator who acts for the user; absent when the user acts. */
  actor?: { id: string; name: string } | undefined
}

/**
 * Writes a caller as a JSON array, in base64url if it has characters that a header cannot have. Later
 * releases can append items, which this release ignores. So an item must not remove a right.
 */
export function writeCaller({ userId, email, role, sessionId, actor }: Identity): string {
  const items = [userId, email, role, sessionId]
  if (actor) items.push(actor.id, actor.name)
  const text = JSON.stringify(items)
  return isPrintable(text) ? text : Buffer.from(text).toString('base64url')
}

/** Returns undefined for a text that is no caller, or one in the form of another release. */
export function readCaller(text: string): Identity | undefined {
  const items = parseItems(text)
  if (!items) return undefined
  const [userId, email, role, sessionId, actorId, actorName] = items
  if (typeof userId !== 'string' || typeof email !== 'string') return undefined
  if (typeof role !== 'string' || typeof sessionId !== 'string') return undefined
  if (actorId === undefined) return { userId, email, role, sessionId }
  if (typeof actorId !== 'string' || typeof actorName !== 'string') return undefined
  return { userId, email, role, sessionId, actor: { id: actorId, name: actorName } }
}

function parseItems(text: string): unknown[] | undefined {
  try {
    const json = text.startsWith('[') ? text : Buffer.from(text, 'base64url').toString()
    const items: unknown = JSON.parse(json)
    return Array.isArray(items) ? items : undefined
  } catch {
    return undefined
  }
}

function isPrintable(text: string): boolean {
  return !/[^\x20-\x7e]/.test(text)
}
