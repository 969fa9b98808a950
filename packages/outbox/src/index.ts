export {
  createOutbox,
  type Outbox,
  type OutboxOptions,
  type OutboxTransaction,
  type Relayed,
} from './outbox.ts'
