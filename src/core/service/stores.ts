// What SIP services need to know and keep. They ask by effects and are answered by inputs with the
// same ticket; `usage` answers over the overlay, a Map in tests.

/** Pairs a question with its answer; unique within the machine that asks. */
export type Ticket = number

/** A SIP user. HA1 as RFC 7616 §3.4.2, in hexadecimal, for both algorithms. */
export interface Subscriber {
  /** User part and domain, `alice@example.org`: the Resource Name. */
  readonly name: string
  readonly ha1: { readonly md5: string; readonly sha256: string }
}

/** One registered contact. */
export interface Binding {
  /** The Contact's URI as registered. */
  readonly contact: string
  /** Contact parameters other than q and expires, `;+sip.instance=…`, as they came; for the 200. */
  readonly parameters: string
  /** 0 to 1 in thousandths: 1000 is q=1. */
  readonly q: number
  /** Path, outermost proxy first, each a Route value. RFC 3327. */
  readonly path: readonly string[]
  readonly callId: string
  readonly cseq: number
  /** `+sip.instance` without brackets; undefined where there is none. RFC 5626. */
  readonly instance: string | undefined
  readonly regId: number | undefined
  readonly transport: "UDP" | "TCP" | "TLS" | "WS" | "WSS"
  /** Where the REGISTER came from, `192.0.2.1:5060`. */
  readonly source: string
  /** The flow token on the edge by which the phone is reached; undefined where Contact or Path is used. */
  readonly flow: string | undefined
  /** When the record forgets it, Unix ms: not before the registration itself expires at the edge. */
  readonly expires: number
  /** Orders what different nodes say of the same binding. max(own clock, highest version read) + 1. */
  readonly version: number
}

/** That a binding, by its identity, was removed at a version. */
export interface Tombstone {
  readonly identity: string
  readonly version: number
  readonly expires: number
}

/** All that one node says of an AOR: its own entry of the SIP-BINDINGS dictionary. */
export interface BindingEntry {
  readonly bindings: readonly Binding[]
  readonly tombstones: readonly Tombstone[]
  /** `Contact: *`: everything of a lower version, in any entry, is removed. 0 where never used. */
  readonly clearedBefore: number
}

/** A BindingEntry and the Node-ID of the edge that wrote it. */
export interface EdgeBindings extends BindingEntry {
  readonly edge: string
}

/** What is held of an AOR: an entry of each node that has said something. */
export interface FoundBindings {
  readonly kind: "found"
  readonly entries: readonly EdgeBindings[]
}

/** The fabric cannot answer or store now; `cause` is a sentence for the log and the Warning. */
export interface Unavailable {
  readonly kind: "unavailable"
  readonly cause: string
}

export type StoreRequest =
  | { readonly kind: "find-subscriber"; readonly ticket: Ticket; readonly name: string }
  | { readonly kind: "find-bindings"; readonly ticket: Ticket; readonly aor: string }
  /** Replaces this node's own entry. An entry with nothing in it removes it. */
  | {
      readonly kind: "store-bindings"
      readonly ticket: Ticket
      readonly aor: string
      readonly entry: BindingEntry
    }

export type StoreAnswer =
  | {
      readonly kind: "subscriber-found"
      readonly ticket: Ticket
      readonly result:
        | { readonly kind: "present"; readonly subscriber: Subscriber }
        | { readonly kind: "absent" }
        | Unavailable
    }
  | {
      readonly kind: "bindings-found"
      readonly ticket: Ticket
      readonly result: FoundBindings | Unavailable
    }
  | {
      readonly kind: "bindings-stored"
      readonly ticket: Ticket
      readonly result: { readonly kind: "stored" } | Unavailable
    }
