import type { Certificate } from "../identity/certificate.ts"
import { hasRole } from "../identity/roles.ts"
import { before, type Duration, milliseconds, minutes } from "../kit/time.ts"
import { signValue } from "../reload/signing.ts"
import { storedDataList } from "../reload/stored-data.ts"
import { type HeldValue, readHeld, secondsLeft } from "../storage/held-value.ts"
import type { KindDefinition } from "../storage/kind.ts"
import type { HeldSignature } from "../storage/storage.ts"
import { encode } from "../wire/codec.ts"
import type { Fabric } from "./fabric.ts"
import type { Writes } from "./writes.ts"

/** How often certificates of values are looked at: so often, and twenty times in the life of ours at least. */
const ROUND = minutes(1)
const ROUNDS_IN_LIFE = 20
/** Values written anew at a time, so that calls go on beside it. */
const AT_A_TIME = 32
const BREATH = milliseconds(50)

/**
 * Keeps what users and invites hang on readable beyond the certificate of the node that wrote it.
 *
 * A signature holds only as long as its certificate does (RFC 6940 §7.1), and a subscriber for years: so before the
 * certificate lapses, and when it is revoked, the responsible peer signs the value anew, if its own role lets
 * it write there. Entries that are one node's own (CARILLON-ROLE-NODE, NODE-MATCH) nobody else can sign; they are
 * renewed by their node, or end with it.
 */
export class Resigning {
  readonly #fabric: Fabric
  readonly #writes: Writes
  #isAtWork = false

  constructor(fabric: Fabric, writes: Writes) {
    this.#fabric = fabric
    this.#writes = writes
  }

  /** From now on, again and again. */
  begin(): void {
    this.look()
    const { notBefore, notAfter } = this.#fabric.identity.certificate
    const round = Math.min(ROUND, (notAfter - notBefore) / ROUNDS_IN_LIFE) as Duration
    this.#fabric.in(round, () => this.begin())
  }

  /** Certificates may have been revoked. */
  look(): void {
    if (this.#isAtWork || !this.#fabric.isPeer) return
    const lapsing = this.#fabric.storage.signers().filter((each) => this.#isLapsing(each))
    if (lapsing.length === 0) return
    const { storage, topology, self } = this.#fabric
    const work = storage
      .signedBy(new Set(lapsing.map(({ fingerprint }) => fingerprint)))
      .filter(({ definition }) => this.#mayWrite(definition))
      .filter(({ resource }) => topology.responsible(resource) === self)
    if (work.length > 0) this.#goOn(work)
  }

  #goOn(work: readonly HeldSignature[]): void {
    this.#isAtWork = true
    let waiting = Math.min(AT_A_TIME, work.length)
    const rest = work.slice(AT_A_TIME)
    const done = () => {
      waiting--
      if (waiting > 0) return
      this.#isAtWork = false
      if (rest.length > 0) this.#fabric.in(BREATH, () => this.#goOn(rest))
      else this.#fabric.log("info", "overlay.signed-anew", {})
    }
    for (const each of work.slice(0, AT_A_TIME)) this.#sign(each, done)
  }

  #sign({ resource, definition, slot, signer }: HeldSignature, done: () => void): void {
    const { storage, now, valueSigner, identity, self, topology } = this.#fabric
    const held = storage.heldAt(resource, definition.id, slot)
    const isStill = held !== undefined && held.signer === signer && held.expiresAt > now
    if (!isStill || topology.responsible(resource) !== self) return done()
    const value = this.#valueAnew(held, definition)
    const signed = signValue(valueSigner, { resource, kind: definition.id, ...value })
    const values = encode(storedDataList(definition.model), [signed])
    const { certificate } = identity
    this.#writes.accept(
      { resource, replicaNumber: 0, kinds: [{ kind: definition.id, generation: 0, values }] },
      {
        requestSigner: certificate,
        certificates: new Map([[certificate.fingerprint, certificate]]),
        signedHere: true,
      },
      // What fails is found again in the next round.
      () => done(),
    )
  }

  #valueAnew(held: HeldValue, { model }: KindDefinition) {
    const { now } = this.#fabric
    return {
      value: readHeld(held, model).value,
      storageTime: Math.max(Math.floor(now), held.storageTime + 1),
      lifetime: secondsLeft(held, now),
    }
  }

  #isLapsing(certificate: Certificate): boolean {
    const { now, configuration, identity } = this.#fabric
    if (certificate.nodeIds.some((node) => configuration.badNodes.includes(node))) return true
    if (certificate.fingerprint === identity.certificate.fingerprint) return false
    // Later than nodes renew their own, so that ours is the newer one.
    const { notBefore, notAfter } = certificate
    return now >= before(notAfter, ((notAfter - notBefore) / 4) as Duration)
  }

  #mayWrite({ access, role }: KindDefinition): boolean {
    return (
      access === "CARILLON-ROLE" && role !== undefined && hasRole(this.#fabric.identity.certificate, role)
    )
  }
}
