import { Agent, get } from 'node:http'
import { setAwakeTimeout } from '@repo/concurrency'

/**
 * Whether a local server answers a URL with 200. It uses a new connection and no proxy: with
 * `NODE_USE_ENV_PROXY` set, `fetch` would send the request to the proxy.
 */
export function isReady(url: string, timeoutMs = 2_000): Promise<boolean> {
  return new Promise((resolve) => {
    const agent = new Agent()
    const settle = (answer: boolean) => {
      cancel()
      agent.destroy()
      resolve(answer)
    }
    const request = get(url, { agent }, (response) => {
      response.on('error', () => undefined).resume()
      response.once('close', () => settle(response.statusCode === 200))
    })
    const cancel = setAwakeTimeout(() => request.destroy(new Error('late')), timeoutMs)
    request.once('error', () => settle(false))
  })
}
