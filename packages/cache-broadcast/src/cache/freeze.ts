/** Freezes a value and all that it holds: what all readers share, none may change. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  if (ArrayBuffer.isView(value)) return value // cannot be frozen
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
  return value
}
