import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** The packages and apps that have a bench, by name, with their folders and the command of their bench. */
export function findBenches(root: string): { name: string; folder: string; command: string }[] {
  return globSync('{packages,apps}/*/package.json', { cwd: root })
    .toSorted()
    .flatMap((file) => {
      const { scripts }: { scripts?: Record<string, string> } = JSON.parse(
        readFileSync(path.join(root, file), 'utf8'),
      )
      const command = scripts?.['bench']
      const folder = path.dirname(file)
      return command === undefined ? [] : [{ name: path.basename(folder), folder, command }]
    })
}
