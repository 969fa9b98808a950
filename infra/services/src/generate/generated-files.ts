import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Service } from '../service.ts'
import { composeFiles } from './compose.ts'
import { docsFile, routesFile } from './docs.ts'
import { gatewayFile } from './gateway.ts'
import { replaceBlocks } from './generated-file.ts'
import { haproxyFile } from './haproxy.ts'
import { nginxFile } from './nginx.ts'
import { observabilityFiles } from './observability.ts'
import { scriptFiles } from './scripts.ts'
import { packagesOf } from './workspace-packages.ts'

/** The files that the list decides, each with its content now and as it must be. */
export function generatedFiles(
  root: string,
  services: readonly Service[],
): { path: string; current: string; expected: string }[] {
  const files = [
    ...composeFiles(services, ({ name }) => packagesOf(root, name)),
    haproxyFile(services),
    nginxFile(services),
    gatewayFile(services),
    ...scriptFiles(services),
    docsFile(services),
    routesFile(services),
    ...observabilityFiles(services),
  ]
  return files.map(({ path, content }) => {
    const current = existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : ''
    const expected = typeof content === 'string' ? content : replaceBlocks(path, current, content)
    return { path, current, expected }
  })
}
