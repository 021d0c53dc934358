import type { ErrorName } from "../reload/codes.ts"
import type { FetchAns, StatAns, StoreKindResponse, StoreReq } from "../reload/stored-data.ts"
import type { StorageChange } from "./change.ts"

/** Becomes an Error with this name and info; `cause` is one sentence for the log. */
export interface StorageRefusal {
  readonly kind: "refused"
  readonly error: ErrorName
  readonly info: Uint8Array
  readonly cause: string
}

export const refusal = (
  error: ErrorName,
  cause: string,
  info: Uint8Array = new Uint8Array(),
): StorageRefusal => ({
  kind: "refused",
  error,
  info,
  cause,
})

/** All or part of a record for another holder: a StoreReq that lacks its replica number. */
export type RecordCopy = Omit<StoreReq, "replicaNumber">

export type StoreOutcome =
  | {
      readonly kind: "accepted"
      /** One for each Kind of the request. The replica lists are empty: the overlay knows the holders. */
      readonly response: readonly StoreKindResponse[]
      /** Empty where everything was held already. */
      readonly changes: readonly StorageChange[]
      /** The request's values as they are held now, with indexes and counters: what the replicas are to get. */
      readonly copy: RecordCopy
    }
  | StorageRefusal

export type FetchOutcome = { readonly kind: "found"; readonly answer: FetchAns } | StorageRefusal
export type StatOutcome = { readonly kind: "found"; readonly answer: StatAns } | StorageRefusal
