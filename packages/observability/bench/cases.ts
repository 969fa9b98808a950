import { parseOptions } from '@repo/testing/bench'

const options = parseOptions()

/** The length of a round of one case, in ms. */
export const roundMs = options.closedMs

/** Each measures one round, and returns its figure. */
type Cases = Record<string, () => number | Promise<number>>

/**
 * Runs the cases that `--only` names, in turns in each round, after one round in which the code is compiled.
 * Prints the median of the rounds and the slowest round of each.
 */
export async function runCases(title: string, cases: Cases): Promise<void> {
  const chosen = Object.entries(cases).filter(
    ([name]) => options.only.length === 0 || options.only.some((part) => name.includes(part)),
  )
  if (chosen.length === 0) return
  const figures = new Map<string, number[]>(chosen.map(([name]) => [name, []]))
  for (let round = -1; round < options.rounds; round += 1) {
    for (const [name, measure] of chosen) {
      const figure = await measure()
      if (round >= 0) figures.get(name)?.push(figure)
    }
  }
  const results = [...figures].map(([name, found]) => {
    const sorted = found.toSorted((a, b) => a - b)
    return { name, median: sorted[sorted.length >> 1] ?? 0, slowest: sorted.at(-1) ?? 0 }
  })
  if (options.json) return console.log(JSON.stringify({ title, results }))
  const rows = results.map(
    ({ name, median, slowest }) => `| ${name} | ${median.toFixed(3)} | ${slowest.toFixed(3)} |`,
  )
  const head = [`| ${title} | median | slowest round |`, '| --- | --- | --- |']
  console.log([...head, ...rows, ''].join('\n'))
}
