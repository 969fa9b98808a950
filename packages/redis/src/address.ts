/** @throws TypeError for an address without a host */
export function hostAndPort(address: string, defaultPort: number): { host: string; port: number } {
  const { hostname, port } = new URL(`redis://${address}`)
  if (hostname === '') throw new TypeError(`an address is host:port, not "${address}"`)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || defaultPort) }
}

/** What a URL says besides where the server is. */
export function credentials(url: string) {
  const { protocol, username, password } = new URL(url)
  return {
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' && { tls: {} }),
  }
}
