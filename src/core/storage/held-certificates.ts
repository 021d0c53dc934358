import type { Certificate } from "../identity/certificate.ts"
import { invariant } from "../kit/errors.ts"
import type { StorageChange } from "./change.ts"

/** The certificates that verify held values; each is kept as long as one value needs it. RFC 6940 §6.3.4. */
export class HeldCertificates {
  readonly #held = new Map<string, { readonly certificate: Certificate; uses: number }>()
  readonly #unused = new Set<string>()

  /** Once for every value. True where it was not held before. */
  retain(certificate: Certificate): boolean {
    const { fingerprint } = certificate
    const held = this.#held.get(fingerprint)
    this.#unused.delete(fingerprint)
    if (held) held.uses++
    else this.#held.set(fingerprint, { certificate, uses: 1 })
    return held === undefined
  }

  release(fingerprint: string): void {
    const held = this.#held.get(fingerprint)
    invariant(held !== undefined && held.uses > 0, "every held value has its certificate")
    held.uses--
    if (held.uses === 0) this.#unused.add(fingerprint)
  }

  get(fingerprint: string): Certificate {
    const held = this.#held.get(fingerprint)
    invariant(held !== undefined, "every held value has its certificate")
    return held.certificate
  }

  certificates(): readonly Certificate[] {
    return Array.from(this.#held.values(), ({ certificate }) => certificate)
  }

  all(): readonly StorageChange[] {
    return Array.from(this.#held.values(), ({ certificate: { fingerprint, der } }) => ({
      kind: "certificate",
      fingerprint,
      der,
    }))
  }

  /** Lets go of what no value needs any more. */
  takeForgotten(): readonly StorageChange[] {
    if (this.#unused.size === 0) return []
    const forgotten = [...this.#unused]
    this.#unused.clear()
    for (const fingerprint of forgotten) this.#held.delete(fingerprint)
    return forgotten.map((fingerprint) => ({ kind: "forget-certificate", fingerprint }))
  }
}
