/**
 * Memory that is lent for an answer, where it leaves from: what lies there when it is sent next need not be copied. What
 * is written and not sent is written over.
 */
export interface Room {
  readonly memory: Uint8Array
  /** Where to begin. */
  readonly at: number
}
