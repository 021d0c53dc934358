import type { NodeId } from "../identity/node-id.ts"
import { type Machine, NOTHING } from "../kit/machine.ts"
import { after, type Duration, type Instant, NEVER, seconds } from "../kit/time.ts"
import { COPIES } from "../overlay/placement.ts"
import type { ResourceId } from "../reload/header.ts"
import { NODE_HEALTH } from "../storage/kinds.ts"
import type { OverlayAnswer, OverlayQuestion } from "../usage/fabric-stores.ts"
import { nodeHealthBytes } from "../usage/node-health-value.ts"
import { Tickets } from "../usage/tickets.ts"

/** `begin` once the node has joined, `end` when it leaves. */
export type HealthProbeInput =
  | { readonly kind: "begin" }
  | { readonly kind: "end" }
  | (OverlayAnswer & { readonly livingPeers: number })

export type HealthProbeEffect =
  | OverlayQuestion
  | { readonly kind: "verdict"; readonly healthy: true }
  | { readonly kind: "verdict"; readonly healthy: false; readonly cause: string }

const INTERVAL = seconds(5)
/** In seconds: a few probes may fail before the record goes. */
const RECORD_LIFETIME = 60
/** So many probes have to fail before a node calls itself unhealthy: one may meet a peer that has just died. */
const FAILURES = 2

/**
 * Health means service: a node stores a record of its own through the fabric and reads it back.
 * A lone node is healthy, since its one copy is all there can be.
 */
export class HealthProbe implements Machine<HealthProbeInput, HealthProbeEffect> {
  deadline: Instant = NEVER
  readonly #record: Uint8Array
  readonly #resource: ResourceId
  readonly #tickets: Tickets<"storing" | "reading">
  #failures = 0
  #running = false

  /** `resource` is the hash of our Node-ID, as access policy NODE-MATCH wants. */
  constructor(self: NodeId, version: string, resource: ResourceId, owner: number) {
    this.#record = nodeHealthBytes(self, version)
    this.#resource = resource
    this.#tickets = new Tickets(owner)
  }

  handle(input: HealthProbeInput, now: Instant): readonly HealthProbeEffect[] {
    switch (input.kind) {
      case "begin":
        this.#running = true
        this.#failures = 0
        return this.#store()
      case "end":
        this.#running = false
        this.deadline = NEVER
        return NOTHING
      case "stored":
      case "fetched":
        return this.#answered(input, now)
    }
  }

  expire(now: Instant): readonly HealthProbeEffect[] {
    return now < this.deadline ? NOTHING : this.#store()
  }

  #store(): readonly HealthProbeEffect[] {
    this.deadline = NEVER // Until the answer has come: probes do not pile up.
    const value = { model: "single", exists: true, value: this.#record } as const
    return [
      {
        kind: "store",
        ticket: this.#tickets.issue("storing"),
        resource: this.#resource,
        values: [{ kind: NODE_HEALTH.id, value, lifetime: RECORD_LIFETIME }],
      },
    ]
  }

  #answered(
    input: Extract<HealthProbeInput, { kind: "stored" | "fetched" }>,
    now: Instant,
  ): readonly HealthProbeEffect[] {
    if (this.#tickets.redeem(input.ticket) === undefined || !this.#running) return NOTHING
    const { result } = input
    if (result.kind === "failed") return this.#failed(result.cause, now)
    if (result.kind === "stored") {
      const due = Math.min(COPIES, input.livingPeers + 1)
      if (result.copies < due) return this.#failed(`a record got ${result.copies} of ${due} copies`, now)
      return [
        {
          kind: "fetch",
          ticket: this.#tickets.issue("reading"),
          resource: this.#resource,
          wanted: [{ kind: NODE_HEALTH.id }],
        },
      ]
    }
    const values = result.values.get(NODE_HEALTH.id) ?? []
    if (!values.some(({ data }) => data.value.exists))
      return this.#failed("a record just stored was not found", now)
    this.#failures = 0
    this.deadline = after(now, INTERVAL)
    return [{ kind: "verdict", healthy: true }]
  }

  #failed(cause: string, now: Instant): readonly HealthProbeEffect[] {
    this.#failures++
    this.deadline = after(now, (INTERVAL / 5) as Duration)
    return this.#failures < FAILURES ? NOTHING : [{ kind: "verdict", healthy: false, cause }]
  }
}
