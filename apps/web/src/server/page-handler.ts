import type { CacheHandler } from 'next/dist/server/lib/incremental-cache/index.d.ts'

/**
 * Where Next keeps pages made before, for one instance alone: nowhere. What a build makes of ours is
 * an empty beginning, and a form's answer that is made from one has lost what the action returned.
 */
// oxlint-disable-next-line import/no-default-export -- Next asks for one
export default class KeepsNothing implements CacheHandler {
  async get() {
    return null
  }
  async set() {}
  async revalidateTag() {}
  resetRequestCache() {}
}
