export { startOrder, stopOrder } from './orders.ts'
export { localOffset } from './ports.ts'
export { READINESS_PATH, type Service } from './service.ts'
export { type App, serviceOf, services } from './services.ts'
