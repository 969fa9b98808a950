import type { Outcome } from '../upstream/target-counts.ts'

/** The trace of one attempt, which begins when it is created. An error of a method is a warning. */
export interface AttemptTrace {
  /** The header that this attempt sends (W3C Trace Context). */
  readonly traceparent: string
  /** The head of the final response arrived. */
  head(statusCode: number, headers: Record<string, string | string[] | undefined>): void
  end(outcome: Outcome): void
}

/**
 * Begins the trace of one attempt of a request.
 * @param origin the instance
 * @param number 1 for the first attempt
 */
export type TraceAttempt = (origin: string, number: number) => AttemptTrace | undefined
