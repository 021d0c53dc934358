import type { Binding, BindingEntry, Tombstone } from "../service/stores.ts"
import { type Codec, enumeration, list, struct, text, u8, u16, u32, u64, type Value } from "../wire/codec.ts"
import { extensible, optional, versioned } from "./versioned.ts"

// The value of Kind SIP-BINDINGS: all that one node says of an AOR. docs/kinds.md.

const TransportCode = enumeration(u8, { UDP: 1, TCP: 2, TLS: 3, WS: 4, WSS: 5 })

const BindingFields = struct({
  contact: text(u16),
  parameters: text(u16),
  q: u16,
  path: list(u16, text(u16)),
  callId: text(u16),
  cseq: u32,
  instance: optional(text(u16)),
  regId: optional(u32),
  transport: TransportCode,
  source: text(u8),
  flow: optional(text(u8)),
  expires: u64,
  version: u64,
})

const TombstoneFields = struct({ identity: text(u16), version: u64, expires: u64 })

// The compiler holds the declared fields and the service's own types together.
const BindingValue: Codec<Binding> = BindingFields satisfies Codec<Value<typeof BindingFields>>
const TombstoneValue: Codec<Tombstone> = TombstoneFields

export const BindingEntryValue: Codec<BindingEntry> = versioned(
  1,
  extensible(
    u32,
    struct({
      clearedBefore: u64,
      bindings: list(u32, extensible(u16, BindingValue)),
      tombstones: list(u32, extensible(u16, TombstoneValue)),
    }),
  ),
)
