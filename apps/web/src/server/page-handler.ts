import type { CacheHandler } from 'next/dist/server/lib/incremental-cache/index.d.ts'

/**
 * Next's store of prerendered pages, which stores nothing. A build prerenders our pages as empty
 * shells, and the response to a form that starts from a shell loses the result of the action.
 */
// oxlint-disable-next-line import/no-default-export -- Next requires it
export default class EmptyPageStore implements CacheHandler {
  async get() {
    return null
  }
  async set() {}
  async revalidateTag() {}
  resetRequestCache() {}
}
