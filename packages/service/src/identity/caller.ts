/** The caller, as the gateway authenticated it. */
export interface Identity {
  userId: string
  email: string
  role: string
  /** With an API key, `key:` and the id of the key. */
  sessionId: string
  /** The administrator who acts for the user; absent when the user acts. */
  actor?: { id: string; name: string } | undefined
  /**
   * The API key by which the caller acts; absent for a session. The gateway has compared its scopes with
   * the endpoint: an upstream of the release before does not read them.
   */
  key?: { id: string; scopes: readonly string[] } | undefined
}

/**
 * Writes a caller as a JSON array, in base64url if it has characters that a header cannot have. Later
 * releases can append items, which this release ignores. So an item must not remove a right.
 */
export function writeCaller({ userId, email, role, sessionId, actor, key }: Identity): string {
  const items: unknown[] = [userId, email, role, sessionId]
  if (actor) items.push(actor.id, actor.name)
  else if (key) items.push(null, null)
  if (key) items.push(key.id, key.scopes)
  const text = JSON.stringify(items)
  return isPrintable(text) ? text : Buffer.from(text).toString('base64url')
}

/** Returns undefined for a text that is no caller, or one in the form of another release. */
export function readCaller(text: string): Identity | undefined {
  const items = parseItems(text)
  if (!items) return undefined
  const [userId, email, role, sessionId, actorId, actorName, keyId, scopes] = items
  if (typeof userId !== 'string' || typeof email !== 'string') return undefined
  if (typeof role !== 'string' || typeof sessionId !== 'string') return undefined
  const caller: Identity = { userId, email, role, sessionId }
  if (actorId !== undefined && actorId !== null) {
    if (typeof actorId !== 'string' || typeof actorName !== 'string') return undefined
    caller.actor = { id: actorId, name: actorName }
  }
  if (keyId !== undefined && keyId !== null) {
    if (typeof keyId !== 'string' || !isTexts(scopes)) return undefined
    caller.key = { id: keyId, scopes }
  }
  return caller
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
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
