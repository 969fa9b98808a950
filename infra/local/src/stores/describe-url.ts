/**
 * Describes the database of a connection URL for a terminal, without its password.
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
  // A list of sentinels or cluster nodes has several URLs.
  const [first = ''] = url.split(',')
  const parsed = parse(first)
  if (!parsed) return 'a server (the form of the URL hides which)'
  const otherCount = url.split(',').length - 1
  const database = parsed.pathname.slice(1)
  const others = otherCount > 0 ? ` and ${otherCount} more` : ''
  return `${hostOf(parsed, '6379')}${others}${database ? `, database ${database}` : ''}`
}

function parse(url: string): URL | undefined {
  // `postgres` is no special scheme, so the host can be empty: the query has the folder of the socket.
  return URL.parse(url) ?? undefined
}

function hostOf({ hostname, port, searchParams }: URL, defaultPort: string): string {
  const host = searchParams.get('host') ?? decode(hostname)
  if (host.startsWith('/')) return `the socket in ${host}`
  return `${host || 'localhost'}:${port || searchParams.get('port') || defaultPort}`
}

/** Text with a raw `%` is not encoded, and stays unchanged. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
