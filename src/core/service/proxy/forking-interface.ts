import type { Random } from "../../kit/random.ts"
import type { Duration } from "../../kit/time.ts"
import type { SipRequest } from "../../sip/message.ts"
import type { Flow, Hop, Listener } from "../../sip/transport.ts"
import type { LayerEffect, LayerInput, ServerKey } from "../../transaction/layer-interface.ts"
import type { ProxyEffect, Target } from "./interface.ts"

export type ForkingInput =
  /** `received` is the request as its server transaction handed it up, over `flow`. */
  | {
      readonly kind: "forward"
      readonly server: ServerKey
      readonly request: SipRequest
      readonly received: SipRequest
      readonly flow: Flow
      readonly targets: readonly Target[]
    }
  /** The caller gave up, or somebody else has answered: what is under way is cancelled. */
  | { readonly kind: "cancelled" | "answered"; readonly server: ServerKey }
  | { readonly kind: "located"; readonly key: number; readonly hops: readonly Hop[] }
  /** From transactions, as the layer says it. */
  | Extract<LayerEffect, { kind: "response" | "failed" | "client-ended" | "server-ended" }>

export type ForkingEffect =
  /** For the transaction layer. */
  | { readonly kind: "transact"; readonly input: LayerInput }
  /** Wanted: where `uri` leads, over TLS if `secure`; as `located` with the same key. */
  | { readonly kind: "find"; readonly key: number; readonly uri: string; readonly secure: boolean }
  | Extract<ProxyEffect, { kind: "send" | "branch-failed" | "call-answered" | "finished" | "refused" }>

export interface ForkingSettings {
  readonly listeners: readonly Listener[]
  readonly random: Random
  readonly timerC: Duration
  /** Numbers for `find` and branches, never used twice. */
  readonly nextNumber: () => number
}
