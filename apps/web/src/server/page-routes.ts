import { z } from 'zod'

/** The list of routes that a build of Next writes. */
export const routesManifest = z.object({
  staticRoutes: z.array(z.object({ page: z.string() })),
  dynamicRoutes: z.array(z.object({ page: z.string(), regex: z.string() })),
})

/** Files of the build. Each name has a digest, so the names would be a route per file and release. */
const FILES = '/_next/'

/**
 * Returns a function that finds the template of a path in the routes of the build, such as
 * `/users/{id}`; undefined for a path that has no page. All files of the build have one template.
 */
export function createPageRoutes({
  staticRoutes,
  dynamicRoutes,
}: z.infer<typeof routesManifest>): (path: string) => string | undefined {
  // Pages of Next that begin with `_`, such as `/_not-found`, are served at other paths.
  const pages = new Set(
    staticRoutes.map(({ page }) => page).filter((page) => !page.startsWith('/_')),
  )
  const patterns = dynamicRoutes.map(({ page, regex }) => ({
    pattern: new RegExp(regex),
    template: page.replaceAll(/\[+(?:\.\.\.)?(\w+)\]+/g, '{$1}'),
  }))

  return (path) => {
    if (pages.has(path)) return path
    if (path.startsWith(FILES)) return `${FILES}*`
    return patterns.find(({ pattern }) => pattern.test(path))?.template
  }
}
