/** The list in pieces of at most `size`. */
export function chunksOf<T>(all: T[], size: number): T[][] {
  const chunks: T[][] = []
  for (let at = 0; at < all.length; at += size) chunks.push(all.slice(at, at + size))
  return chunks
}
