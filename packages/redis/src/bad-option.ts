import { RedisError } from './errors.ts'

/** @throws RedisError `bad-option` that names the option or argument */
export function refuse(option: string, expected: string): never {
  throw new RedisError('bad-option', `${option} must be ${expected}`)
}

/** Runs a check of an option. Refuses an object that cannot be read, such as one with throwing getters. */
export function checkOption<T>(option: string, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (error instanceof RedisError) throw error
    return refuse(option, 'readable')
  }
}

/** @throws RedisError `bad-option` unless `value` has all these methods */
export function requireMethods(option: string, value: unknown, methods: readonly string[]): void {
  const hasAll = checkOption(option, () => {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
    return methods.every((method) => typeof Reflect.get(value, method) === 'function')
  })
  if (!hasAll) refuse(option, `an object with the methods ${methods.join(', ')}`)
}
