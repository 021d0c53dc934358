import { X509Certificate } from "node:crypto"
import { appendFileSync } from "node:fs"
import type { SecureContextOptions } from "node:tls"
import { type LogEffect, log } from "../../core/kit/log.ts"

/** What a connection to the RELOAD port is for, by its application protocol. RFC 7301. */
export const FABRIC_PROTOCOLS = { reload: "reload", sip: "sip", enrolment: "http/1.1" } as const

/** Nothing older is spoken with phones or nodes. */
export const TLS_VERSIONS: SecureContextOptions = { minVersion: "TLSv1.2" }

/** Anything that tells its TLS secrets: a client's socket, or a server for all of its sockets. */
interface Confiding {
  on(event: "keylog", listener: (line: Buffer) => void): unknown
}

/** Appends the secrets of one connection, or of all of one server's, to the key log. */
export type KeyLog = (source: Confiding) => void

/**
 * Appends to `file` in NSS format. Written at once, so that a capture can be read while it runs.
 * A file that cannot be written is said once; calls matter more than captures.
 */
export function openKeyLog(file: string | undefined, report: (event: LogEffect) => void): KeyLog {
  if (file === undefined) return () => undefined
  let isWritable = true
  const append = (line: Buffer) => {
    if (!isWritable) return
    try {
      appendFileSync(file, line, { mode: 0o600 })
    } catch (cause) {
      isWritable = false
      report(log("warn", "host.key-log-failed", { file, cause: (cause as Error).message }))
    }
  }
  return (source) => void source.on("keylog", append)
}

/** The certificates of a PEM text, in its order. */
export function readPemCertificates(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block))
}

/** DER of those that signed themselves: the roots that stand behind a chain. */
export function rootsOf(pem: string): readonly Uint8Array[] {
  return readPemCertificates(pem)
    .filter((certificate) => certificate.checkIssued(certificate))
    .map((certificate) => certificate.raw)
}
