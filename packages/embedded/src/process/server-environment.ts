/** Variables of the caller that change the behaviour of a server, or the language of its output. */
const FOREIGN = /^(PG|LC_|LANG|NODE_OPTIONS$|NODE_DEBUG)/

/**
 * The environment of a store, without `PGDATA`, `NODE_OPTIONS` and similar variables of the caller. The
 * output of the server is parsed, so it is in English.
 */
export function serverEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name))
  return { ...Object.fromEntries(kept), LC_ALL: 'C' }
}
