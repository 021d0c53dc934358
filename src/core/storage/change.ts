import type { ResourceId } from "../reload/header.ts"
import type { KindId } from "../reload/stored-data.ts"

/** What is to be on disk from now on. Applied in order; later ones replace earlier ones of the same place. */
export type StorageChange =
  /** `slot`: "" for single, the index in decimal for array, the key in hexadecimal for dictionary. */
  | {
      readonly kind: "put"
      readonly resource: ResourceId
      readonly kindId: KindId
      readonly slot: string
      readonly generation: number
      /** The StoredData as on the wire (RFC 6940 §7.1), lifetime counted from `storedAt`. */
      readonly value: Uint8Array
      /** When we got it, Unix ms: lifetimes count down from here. */
      readonly storedAt: number
    }
  | { readonly kind: "delete"; readonly resource: ResourceId; readonly kindId: KindId; readonly slot: string }
  /** A certificate that verifies stored values. By SHA-256 fingerprint. */
  | { readonly kind: "certificate"; readonly fingerprint: string; readonly der: Uint8Array }
  /** No stored value needs it any more. */
  | { readonly kind: "forget-certificate"; readonly fingerprint: string }
