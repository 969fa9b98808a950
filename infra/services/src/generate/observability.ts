import { threefoldDashboard } from '@repo/monitoring/dashboard'
import { containerPort } from '../ports.ts'
import type { Service } from '../service.ts'
import { REPLICAS } from './compose.ts'
import type { GeneratedFile } from './generated-file.ts'

/** The targets of Prometheus in containers, the wanted number of instances in its rules, and the dashboard. */
export function observabilityFiles(services: readonly Service[]): GeneratedFile[] {
  return [
    { path: 'infra/observability/prometheus.yml', content: { targets: lines(services, target) } },
    { path: 'infra/observability/rules.yml', content: { instances: lines(services, wanted) } },
    {
      path: 'infra/observability/grafana/dashboards/threefold.json',
      content: `${JSON.stringify(threefoldDashboard(), null, 2)}\n`,
    },
  ]
}

function lines(services: readonly Service[], render: (service: Service) => string): string {
  return services.map((service) => `      - ${render(service)}\n`).join('')
}

function target(service: Service): string {
  const { name } = service
  return `{ names: [${name}, ${name}-green], type: A, port: ${containerPort(service)} }`
}

function wanted({ name }: Service): string {
  return `{ record: threefold:instances_wanted, labels: { app: ${name} }, expr: vector(${REPLICAS}) }`
}
