import type { NodeId } from "../identity/node-id.ts"
import { fromUtf8, toUtf8 } from "../kit/bytes.ts"
import { FormatError } from "../kit/errors.ts"
import { seconds } from "../kit/time.ts"
import { type ConfigurationDocument, parseConfiguration } from "../reload/configuration-document.ts"
import { verifyConfiguration } from "../reload/configuration-signature.ts"
import { isOlder } from "../reload/header.ts"
import type { ConfigUpdateReq } from "../reload/overlay-methods.ts"
import type { Answers } from "./answers.ts"
import type { Fabric } from "./fabric.ts"
import type { LinkPool } from "./link-pool.ts"
import type { Received } from "./messenger.ts"
import type { Requests } from "./requests.ts"

/** A node that is behind shows it with every request; it is sent the document once in so long. */
const PATIENCE = seconds(2)

/**
 * Keeps this node, and those that it speaks with, at the newest configuration document. RFC 6940 §6.3.2.1, §6.5.4.
 *
 * Whoever gets a new one hands it on to its neighbors, and whoever gets it from our own host to all that are
 * linked; a node that was away shows with its first request that it is behind, and gets it then.
 */
export class ConfigurationUpdates {
  readonly #fabric: Fabric
  readonly #links: LinkPool
  readonly #requests: Requests
  readonly #answers: Answers
  /** Rules have changed: who may be linked, whose values hold. */
  readonly #taken: () => void
  /** Who has been sent which sequence of late. */
  readonly #underWay = new Map<NodeId, number>()

  constructor(fabric: Fabric, links: LinkPool, requests: Requests, answers: Answers, taken: () => void) {
    this.#fabric = fabric
    this.#links = links
    this.#requests = requests
    this.#answers = answers
    this.#taken = taken
  }

  /** Our own host has a document. */
  take(document: string): void {
    const problem = this.#adopt(document)
    if (problem !== undefined)
      return this.#fabric.log("warn", "overlay.configuration-refused", { reason: problem.cause })
    // Also to those that it revokes: they may learn why nobody hears them any more.
    for (const { node } of [...this.#links.all()]) this.behind(node)
    this.#taken()
  }

  requested(request: Received, { update }: ConfigUpdateReq): void {
    // Kinds come with the document that lists them; alone they would outlive it.
    if (update.kind !== "configuration")
      return this.#answers.refuse(request, "Error_Forbidden", "Kinds come in whole configuration documents")
    const text = fromUtf8(update.document)
    const problem = text === undefined ? FORMAT("it is not UTF-8") : this.#adopt(text)
    if (problem !== undefined) return this.#answers.refuse(request, problem.error, problem.cause)
    this.#answers.answer(request, { kind: "config-update-ans" })
    const { predecessors, successors } = this.#fabric.topology.neighbors()
    for (const node of new Set([...predecessors, ...successors])) if (node !== request.node) this.behind(node)
    this.#taken()
  }

  /** That node has an older document than we have, or may have: it is sent ours. */
  behind(node: NodeId): void {
    const { document, configuration } = this.#fabric
    if (document === undefined || this.#underWay.get(node) === configuration.sequence) return
    this.#underWay.set(node, configuration.sequence)
    this.#fabric.in(PATIENCE, () => this.#underWay.delete(node))
    this.#requests.ask({
      to: { kind: "node", node },
      body: {
        kind: "config-update-req",
        update: { kind: "configuration", document: toUtf8(document) },
      },
      done: () => undefined,
    })
  }

  #adopt(document: string): Problem | undefined {
    const parsed = this.#parse(document)
    if ("error" in parsed) return parsed
    const { configuration, cryptography, now } = this.#fabric
    const { sequence } = parsed.configuration
    if (sequence === configuration.sequence || !isOlder(configuration.sequence, sequence))
      return {
        error: "Error_Config_Too_Old",
        cause: `its sequence is ${sequence}, and ours is the same or later`,
      }
    const cause = verifyConfiguration(cryptography, parsed, {
      overlay: configuration.instanceName,
      roots: configuration.rootCertificates,
      signers: configuration.configurationSigners,
      now,
    })
    if (cause !== undefined) return { error: "Error_Forbidden", cause }
    this.#fabric.reconfigure(parsed.configuration, document)
    this.#fabric.log("info", "overlay.configured", { sequence })
    this.#fabric.emit({ kind: "configured", document, configuration: parsed.configuration })
    return undefined
  }

  #parse(document: string): ConfigurationDocument | Problem {
    try {
      return parseConfiguration(document, this.#fabric.configuration.instanceName)
    } catch (problem) {
      if (problem instanceof FormatError) return FORMAT(problem.message)
      throw problem
    }
  }
}

interface Problem {
  readonly error: "Error_Config_Too_Old" | "Error_Forbidden" | "Error_Invalid_Message"
  readonly cause: string
}

const FORMAT = (cause: string): Problem => ({ error: "Error_Invalid_Message", cause })
