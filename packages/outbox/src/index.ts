export { type Backlog, outboxFigures } from './backlog.ts'
export {
  createOutbox,
  type EmptyLook,
  type Outbox,
  type OutboxOptions,
  type OutboxTransaction,
  type Relayed,
} from './outbox.ts'
export type { OutboxTrace } from './rows.ts'
