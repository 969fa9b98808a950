/**
 * Replaces the figures of a package in the document, between `<!-- begin NAME -->` and
 * `<!-- end NAME -->`.
 * @throws Error when the document has no such part
 */
export function insertFigures(document: string, name: string, figures: string): string {
  const [begin, end] = [`<!-- begin ${name} -->\n`, `<!-- end ${name} -->`]
  const [from, to] = [document.indexOf(begin), document.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`The document has no part "${begin.trim()}"`)
  return `${document.slice(0, from)}${begin}\n${figures.trim()}\n\n${document.slice(to)}`
}
