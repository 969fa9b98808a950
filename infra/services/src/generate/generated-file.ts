/** A file of the repository with parts that the list of services decides. */
export interface GeneratedFile {
  /** From the root of the repository. */
  path: string
  /** The whole file; or its marked blocks by name. */
  content: string | Readonly<Record<string, string>>
}

/**
 * Replaces the marked blocks of a file: the lines between one that ends in `begin generated NAME` and
 * one that ends in `end generated NAME`.
 *
 * @throws Error that names the file and the marker when a block is missing, or is marked and unknown
 */
export function replaceBlocks(
  path: string,
  text: string,
  blocks: Readonly<Record<string, string>>,
): string {
  const found = new Set<string>()
  const replaced = text.replaceAll(BLOCK, (_, begin: string, name: string, end: string) => {
    const block = blocks[name]
    if (block === undefined) throw new Error(`${path}: no generator writes the block "${name}"`)
    found.add(name)
    return `${begin}${block}${end}`
  })
  const missing = Object.keys(blocks).find((name) => !found.has(name))
  if (missing !== undefined) {
    throw new Error(
      `${path}: the lines "begin generated ${missing}" and "end generated ${missing}" are missing: restore them`,
    )
  }
  return replaced
}

const BLOCK = /(^.*begin generated (\S+).*\n)[^]*?(^.*end generated \2(?!\S).*\n)/gm
