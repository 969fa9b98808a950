/** A value that a caller may pass by mistake or on purpose. `create` makes a fresh one. */
export interface HostileValue {
  name: string
  create: () => unknown
}

const MEGABYTE = 1_000_000

function throwing(): never {
  throw new Error('hostile')
}

const values: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  NaN: () => Number.NaN,
  Infinity: () => Infinity,
  '-Infinity': () => -Infinity,
  '-1': () => -1,
  '0': () => 0,
  '-0': () => -0,
  '0.5': () => 0.5,
  '2 ** 31': () => 2 ** 31,
  '2 ** 53': () => 2 ** 53,
  '1e300': () => 1e300,
  'a bigint': () => 10n,
  'a symbol': () => Symbol('hostile'),
  'an empty string': () => '',
  'white space': () => ' \n\t',
  'a digit as a string': () => '1',
  'a zero byte': () => 'a\0b',
  'a high surrogate': () => 'a\ud800',
  'a low surrogate': () => '\udc00a',
  'a separator': () => 'a:b%{c}',
  __proto__: () => '__proto__',
  'a string of 1 MB': () => 'x'.repeat(MEGABYTE),
  'an empty array': () => [],
  'an array of undefined': () => [undefined],
  'a nested array': () => [[['a']]],
  'an array of 200,000 strings': () => Array.from({ length: 200_000 }, (_, i) => `k${i}`),
  'an empty object': () => ({}),
  'an object without a prototype': () => Object.create(null),
  'an object whose getters throw': () =>
    new Proxy({}, { get: throwing, has: throwing, ownKeys: throwing }),
  'an object whose toString throws': () => ({
    toString: throwing,
    valueOf: throwing,
    toJSON: throwing,
  }),
  'a cyclic object': () => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    return cycle
  },
  'a function that throws': () => throwing,
  'a function that rejects': () => () => Promise.reject(new Error('hostile')),
  'a function that returns NaN': () => () => Number.NaN,
  'a promise that never settles': () => new Promise(() => undefined),
  'an invalid date': () => new Date(Number.NaN),
  'a map': () => new Map([['a', 1]]),
  bytes: () => new Uint8Array([0, 255]),
}

/** Values of each kind, each with a name for a test's title. */
export function hostileValues(): HostileValue[] {
  return Object.entries(values).map(([name, create]) => ({ name, create }))
}

export interface HostileCheck {
  /** Whether an error is a coded one of the package. */
  isCoded: (error: unknown) => boolean
  /** Names of hostile values that this argument does not get, because they are valid there. */
  except?: string[]
  /** A call that has not settled within this time hangs, in ms. */
  withinMs?: number
}

/**
 * Calls a function with each hostile value in turn.
 *
 * @param call passes the value on; it may return a promise
 * @returns a line for each value that ended in a raw error, or did not end; none when all is well
 */
export async function findRawErrors(
  call: (value: never) => unknown,
  { isCoded, except = [], withinMs = 10_000 }: HostileCheck,
): Promise<string[]> {
  const faults: string[] = []
  for (const { name, create } of hostileValues()) {
    if (except.includes(name)) continue
    const fault = await faultOf(() => callWith(call, create()), isCoded, withinMs)
    if (fault !== undefined) faults.push(`${name}: ${fault}`)
  }
  return faults
}

/**
 * Calls a function with valid options and one hostile value, for each option and value. An error must
 * be coded and contain the name of the option.
 *
 * @param valid all options, each with a value that is valid
 * @param call must undo what it creates, such as a timer
 */
export async function findRawErrorsOfOptions<O extends object>(
  valid: O,
  call: (options: O) => unknown,
  { isCoded, ...check }: HostileCheck,
): Promise<string[]> {
  const faults: string[] = []
  for (const option of Object.keys(valid)) {
    const namesOption = (error: unknown) =>
      isCoded(error) && error instanceof Error && error.message.includes(option)
    const change = (value: unknown) => call({ ...valid, [option]: value })
    const found = await findRawErrors(change, { isCoded: namesOption, ...check })
    faults.push(...found.map((fault) => `${option} = ${fault}`))
  }
  return faults
}

async function faultOf(
  call: () => unknown,
  isCoded: (error: unknown) => boolean,
  withinMs: number,
): Promise<string | undefined> {
  const hang = Promise.withResolvers<string>()
  const timer = setTimeout(() => hang.resolve(`does not settle within ${withinMs} ms`), withinMs)
  const ended = Promise.try(call).then(
    () => undefined,
    (error: unknown) => (isCoded(error) ? undefined : `raw error: ${textOf(error)}`),
  )
  try {
    return await Promise.race([ended, hang.promise])
  } finally {
    clearTimeout(timer)
  }
}

function textOf(error: unknown): string {
  try {
    return String(error).slice(0, 300)
  } catch {
    return 'a value that has no text'
  }
}

/** The types exclude these values; callers in JavaScript, and values that were parsed, do not. */
function callWith(call: Function, value: unknown): unknown {
  return Reflect.apply(call, undefined, [value])
}
