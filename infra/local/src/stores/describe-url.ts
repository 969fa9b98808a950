/**
 * The server that a connection URL names, for people: never its password.
 *
 * @example `database "app" on db.example.com:5432 as user "app"`
 */
export function describeDatabase(url: string): string {
  const parsed = parse(url)
  if (!parsed) return 'a server (the form of the URL hides which)'
  const host = hostOf(parsed, '5432')
  const database = decode(parsed.pathname.slice(1)) || 'of the user'
  const user = parsed.searchParams.get('user') ?? decode(parsed.username)
  return `database "${database}" on ${host}${user ? ` as user "${user}"` : ''}`
}

/** @example `redis.example.com:6379, database 2` */
export function describeRedis(url: string): string {
  // A list of sentinels or cluster nodes is not one URL.
  const [first = ''] = url.split(',')
  const parsed = parse(first)
  if (!parsed) return 'a server (the form of the URL hides which)'
  const more = url.split(',').length - 1
  const database = parsed.pathname.slice(1)
  const others = more > 0 ? ` and ${more} more` : ''
  return `${hostOf(parsed, '6379')}${others}${database ? `, database ${database}` : ''}`
}

function parse(url: string): URL | undefined {
  // `postgres` is no special scheme, so the host may be empty: the socket folder is in the query.
  return URL.parse(url) ?? undefined
}

function hostOf({ hostname, port, searchParams }: URL, defaultPort: string): string {
  const host = searchParams.get('host') ?? decode(hostname)
  if (host.startsWith('/')) return `the socket in ${host}`
  return `${host || 'localhost'}:${port || searchParams.get('port') || defaultPort}`
}

/** A raw `%` is no encoding; it stays as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
