import type { RequestPath } from '../api/view-schema.ts'
import { instanceNumber } from './instance-mark.tsx'

const columns = [70, 210, 350, 490]
const rowHeight = 52

interface Point {
  x: number
  y: number
}

function curve(from: Point, to: Point) {
  const middle = (from.x + to.x) / 2
  return `M${from.x} ${from.y} C${middle} ${from.y} ${middle} ${to.y} ${to.x} ${to.y}`
}

function layOut(path: RequestPath) {
  const ids = [path.web, path.gateway, path.auth]
  const rows = Math.max(3, ...ids.map(instanceNumber))
  const height = rows * rowHeight
  const edge = { x: columns[0] ?? 0, y: height / 2 }
  const stages = ids.map((id, stage) => {
    const x = columns[stage + 1] ?? 0
    const points = Array.from({ length: rows }, (_, row) => ({ x, y: (row + 0.5) * rowHeight }))
    return { points, lit: points[instanceNumber(id) - 1] }
  })
  return { height, edge, stages }
}

/** The path of a request from the edge to auth: every possible path, and the one that it took. */
export function RequestPathFigure({ path, id }: { path: RequestPath; id: string }) {
  const { height, edge, stages } = layOut(path)
  const lines = stages.flatMap(({ points }, stage) => {
    const before = stage === 0 ? [edge] : (stages[stage - 1]?.points ?? [])
    return before.flatMap((from) => points.map((to) => curve(from, to)))
  })
  const taken = [edge, ...stages.map(({ lit }) => lit)]
  const stops = ['edge', path.web, path.gateway ?? 'no answer', path.auth ?? 'no answer']

  return (
    <figure className="grid w-full max-w-3xl gap-3">
      <svg viewBox={`0 0 560 ${height}`} aria-hidden="true" className="w-full text-ink">
        <path d={lines.join(' ')} fill="none" stroke="currentColor" strokeWidth="1" opacity="0.2" />
        {taken.map((to, index) => {
          const from = taken[index - 1]
          if (!from || !to) return null
          return (
            <path
              key={`${id}-${to.x}`}
              d={curve(from, to)}
              pathLength="1"
              fill="none"
              strokeWidth="3.5"
              strokeLinecap="round"
              className="path-draw stroke-accent"
              style={{ animationDelay: `${(index - 1) * 110}ms` }}
            />
          )
        })}
        <circle cx={edge.x} cy={edge.y} r="11" className="fill-ink" />
        {stages.flatMap(({ points, lit }) =>
          points.map((point) => (
            <rect
              key={`${point.x}-${point.y}`}
              x={point.x - 5}
              y={point.y - (point === lit ? 17 : 11)}
              width="10"
              height={point === lit ? 34 : 22}
              rx="5"
              className={
                point === lit ? 'fill-accent' : 'fill-surface stroke-edge [stroke-width:1.5]'
              }
            />
          )),
        )}
      </svg>
      <figcaption className="sr-only">
        The path of this request, from the load balancer to the auth service
      </figcaption>
      <ol className="grid grid-cols-4 text-center font-mono text-xs sm:text-sm">
        {stops.map((stop, index) => (
          <li key={`${index}-${stop}`} className={index === 0 ? 'text-muted' : 'font-semibold'}>
            {stop}
          </li>
        ))}
      </ol>
    </figure>
  )
}
