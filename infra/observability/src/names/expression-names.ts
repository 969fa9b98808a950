import { parser } from '@prometheus-io/lezer-promql'

type Node = ReturnType<typeof parser.parse>['topNode']

/** A metric of an expression, and the labels that the expression expects of it. */
export interface MetricUse {
  metric: string
  labels: string[]
}

/** Labels that Prometheus adds to each series. */
const ADDED = new Set(['job', 'instance'])

/**
 * Reads the metrics of an expression of PromQL, with the labels in matchers, and in `by` and `on` around them.
 * Variables of Grafana are read as durations and texts.
 *
 * @throws Error that has the expression when it is malformed
 */
export function namesOf(expression: string): MetricUse[] {
  const text = expression.replaceAll('$__rate_interval', '5m')
  const { topNode } = parser.parse(text)
  if (hasError(topNode)) throw new Error(`malformed PromQL: ${expression}`)
  const uses: MetricUse[] = []
  visit(topNode, [])
  return uses

  function visit(node: Node, grouped: readonly string[]): void {
    const labels = [...grouped, ...groupingLabels(node)]
    if (node.name === 'VectorSelector') return void uses.push(readSelector(node, labels))
    for (const child of childrenOf(node)) visit(child, labels)
  }

  function groupingLabels(node: Node): string[] {
    return childrenOf(node)
      .filter(({ name }) => name === 'AggregateModifier' || name === 'MatchingModifierClause')
      .filter((modifier) => modifier.getChild('By') ?? modifier.getChild('On'))
      .flatMap((modifier) => modifier.getChild('GroupingLabels') ?? [])
      .flatMap((list) => list.getChildren('LabelName').map(textOf))
  }

  function readSelector(node: Node, grouped: readonly string[]): MetricUse {
    const identifier = node.getChild('Identifier')
    if (!identifier) throw new Error(`a selector without the name of a metric: ${expression}`)
    const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []
    const matched = matchers.flatMap((matcher) => matcher.getChildren('LabelName').map(textOf))
    const labels = new Set([...grouped, ...matched])
    return {
      metric: textOf(identifier),
      labels: [...labels].filter((label) => !ADDED.has(label)),
    }
  }

  function textOf({ from, to }: Node): string {
    return text.slice(from, to)
  }
}

function hasError(node: Node): boolean {
  return node.type.isError || childrenOf(node).some(hasError)
}

function childrenOf(node: Node): Node[] {
  const children: Node[] = []
  for (let child = node.firstChild; child; child = child.nextSibling) children.push(child)
  return children
}
