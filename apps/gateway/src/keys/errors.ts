/** The check of a key waited too long for its turn to query PostgreSQL. */
export class KeyError extends Error {
  override name = 'KeyError'
  readonly code = 'overloaded'
}
