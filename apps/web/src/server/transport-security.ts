import { type Listener, transportSecurity } from '@repo/service'

/** Adds `Strict-Transport-Security` to every response of the listener, if the site has https. */
export function withTransportSecurity(origin: string, listener: Listener): Listener {
  const [name, value] = transportSecurity(origin)
  if (name === undefined || value === undefined) return listener
  return (request, response) => {
    response.setHeader(name, value)
    return listener(request, response)
  }
}
