import type { Pool, PoolClient } from 'pg'

/**
 * Called when a query begins, in the asynchronous context of its caller.
 *
 * @param readStatement returns the name of a prepared statement, or the command and its first table, such as
 * `select payments`. It never contains a parameter.
 * @returns a function that is called once at the end of a query without a callback, with the error if the
 * query failed; undefined if this query is not observed
 */
export type ObserveQuery = (readStatement: () => string) => ((error?: unknown) => void) | undefined

type Query = (...args: unknown[]) => unknown

const COMMAND = /^\s*([a-z]+)/i
const TABLE = /\b(?:from|into|update)\s+(?:"?[a-z_]\w*"?\.)?"?([a-z_]\w{0,62})"?/i
const COMMANDS = new Set([
  ...['select', 'insert', 'update', 'delete', 'with', 'begin', 'commit', 'rollback'],
  ...['savepoint', 'release', 'set', 'lock', 'notify', 'listen'],
])
const WITH_TABLE = new Set(['select', 'insert', 'update', 'delete'])

/** Observes each query of a pool, from the call, which can wait for a connection, to its end. */
export function observeQueries(pool: Pool, observe: ObserveQuery): void {
  observeCalls(pool, observe)
  pool.on('connect', (client) => observeCalls(client, observe))
}

function observeCalls(target: Pool | PoolClient, observe: ObserveQuery): void {
  const query: Query = target.query.bind(target)
  function observed(...args: unknown[]): unknown {
    // `Pool.query` passes a callback to the client, perhaps in the context of another request.
    const end = typeof args.at(-1) === 'function' ? undefined : observe(() => statementOf(args[0]))
    const result = query(...args)
    if (!end || !(result instanceof Promise)) return result
    // The caller gets this promise: with another one, its unhandled rejections would be hidden.
    return result.then(
      (value: unknown) => {
        end()
        return value
      },
      (error: unknown) => {
        end(error)
        throw error
      },
    )
  }
  Object.assign(target, { query: observed })
}

/** Returns the name of a prepared statement, or the command and its first table. */
export function statementOf(config: unknown): string {
  if (typeof config === 'string') return summaryOf(config)
  if (typeof config !== 'object' || config === null) return 'other'
  if ('name' in config && typeof config.name === 'string' && config.name !== '') return config.name
  return 'text' in config && typeof config.text === 'string' ? summaryOf(config.text) : 'other'
}

function summaryOf(text: string): string {
  const command = COMMAND.exec(text)?.[1]?.toLowerCase() ?? ''
  if (!COMMANDS.has(command)) return 'other'
  const table = WITH_TABLE.has(command) ? TABLE.exec(text)?.[1] : undefined
  return table === undefined ? command : `${command} ${table}`
}
