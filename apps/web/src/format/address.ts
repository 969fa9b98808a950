/** Shortens an IPv6 address as in RFC 5952: `2001:db8::1`. Other texts are unchanged. */
export function formatAddress(address: string): string {
  return URL.parse(`http://[${address}]`)?.hostname.slice(1, -1) ?? address
}
