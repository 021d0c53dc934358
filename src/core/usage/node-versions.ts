import type { NodeId } from "../identity/node-id.ts"
import { Deadlines } from "../kit/deadlines.ts"
import { fromHex } from "../kit/hex.ts"
import { type Machine, NOTHING } from "../kit/machine.ts"
import { after, type Duration, type Instant, minutes, seconds } from "../kit/time.ts"
import type { Overlay, VerifiedValue } from "../overlay/interface.ts"
import { NODE_HEALTH } from "../storage/kinds.ts"
import { decode } from "../wire/codec.ts"
import { DecodeError } from "../wire/decode-error.ts"
import type { OverlayAnswer, OverlayQuestion } from "./fabric-stores.ts"
import { NodeHealthValue } from "./node-health-value.ts"
import { Tickets } from "./tickets.ts"

/** `up` and `down` as the overlay tells of a peer. */
export type NodeVersionsInput = { readonly kind: "up" | "down"; readonly node: NodeId } | OverlayAnswer

/** A node writes its record when it has joined: what is there before may be of its earlier life. */
const FIRST = seconds(6)
/** Its record was not there, or it is too old to say. */
const AGAIN = seconds(20)
const REFRESH = minutes(5)

/** Which version of Carillon each living peer runs, by its own record of Kind NODE-HEALTH. */
export class NodeVersions implements Machine<NodeVersionsInput, OverlayQuestion> {
  readonly #overlay: Pick<Overlay, "resourceId">
  readonly #tickets: Tickets<NodeId>
  readonly #due = new Deadlines<NodeId>()
  readonly #living = new Set<NodeId>()
  readonly #versions = new Map<string, string>()

  constructor(overlay: Pick<Overlay, "resourceId">, owner: number) {
    this.#overlay = overlay
    this.#tickets = new Tickets(owner)
  }

  get deadline(): Instant {
    return this.#due.next
  }

  /** By Node-ID; nodes that have not told are left out. */
  get versions(): ReadonlyMap<string, string> {
    return this.#versions
  }

  handle(input: NodeVersionsInput, now: Instant): readonly OverlayQuestion[] {
    switch (input.kind) {
      case "up":
        this.#living.add(input.node)
        this.#due.set(input.node, after(now, FIRST))
        return NOTHING
      case "down":
        this.#living.delete(input.node)
        this.#versions.delete(input.node)
        this.#due.delete(input.node)
        return NOTHING
      case "fetched":
        this.#take(input, now)
        return NOTHING
      case "stored":
        return NOTHING
    }
  }

  expire(now: Instant): readonly OverlayQuestion[] {
    const questions: OverlayQuestion[] = []
    for (let node = this.#due.takeDue(now); node !== undefined; node = this.#due.takeDue(now))
      questions.push({
        kind: "fetch",
        ticket: this.#tickets.issue(node),
        resource: this.#overlay.resourceId(fromHex(node)),
        wanted: [{ kind: NODE_HEALTH.id }],
      })
    return questions
  }

  #take({ ticket, result }: Extract<OverlayAnswer, { kind: "fetched" }>, now: Instant): void {
    const node = this.#tickets.redeem(ticket)
    if (node === undefined || !this.#living.has(node)) return
    const values = result.kind === "found" ? (result.values.get(NODE_HEALTH.id) ?? []) : []
    const version = versionIn(values)
    if (version !== undefined) this.#versions.set(node, version)
    const wait: Duration = version === undefined ? AGAIN : REFRESH
    this.#due.set(node, after(now, wait))
  }
}

/** Undefined where there is no such record, or its writer is too old to say. */
function versionIn(values: readonly VerifiedValue[]): string | undefined {
  for (const { data } of values) {
    if (data.value.model !== "single" || !data.value.exists) continue
    try {
      return decode(NodeHealthValue, data.value.value, "NodeHealth").version
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }
  return undefined
}
