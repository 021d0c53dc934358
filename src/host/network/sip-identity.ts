import type { PeerCertificate } from "node:tls"
import { CarillonError } from "../../core/kit/errors.ts"

/** A TLS server is not the one that was asked for. */
export class ServerIdentityError extends CarillonError {
  readonly code = "host.server-identity"
}

/**
 * Whether `certificate` is for the SIP domain, host or IP literal `wanted`. RFC 5922 §7.1 and §7.2:
 * names count as a whole, without wildcards; DNS names count only where no sip: URI names a domain.
 */
export function checkSipIdentity(wanted: string, certificate: PeerCertificate): Error | undefined {
  const names = alternativeNames(certificate.subjectaltname)
  const domains = names.URI.map((uri) => /^sip:([^@;?:]+)$/i.exec(uri)?.[1]).filter(
    (host) => host !== undefined,
  )
  const { CN } = certificate.subject
  const identities = [
    ...(domains.length > 0 ? domains : names.DNS),
    ...names["IP Address"],
    ...(certificate.subjectaltname === undefined && typeof CN === "string" ? [CN] : []),
  ]
  const isMeant = identities.some((identity) => canonical(identity) === canonical(wanted))
  if (isMeant) return undefined
  const shown = identities.length > 0 ? identities.join(", ") : "nobody"
  return new ServerIdentityError(`its certificate is for ${shown}, not for ${wanted}`)
}

type AlternativeNames = Record<"URI" | "DNS" | "IP Address", string[]>

/** `DNS:a.example, URI:sip:b.example, IP Address:192.0.2.1`, as the platform spells the extension. */
function alternativeNames(text = ""): AlternativeNames {
  const names: AlternativeNames = { URI: [], DNS: [], "IP Address": [] }
  for (const [, type, plain, quoted] of text.matchAll(
    /(URI|DNS|IP Address):(?:([^",]+)|("(?:[^"\\]|\\.)*"))(?:, |$)/g,
  )) {
    // Quoted where the name holds what could be mistaken for the next one; such a name is nobody's.
    if (plain !== undefined && quoted === undefined) names[type as keyof AlternativeNames].push(plain)
  }
  return names
}

/** Case aside, and IPv6 in one spelling. */
function canonical(name: string): string {
  const host = name.toLowerCase()
  return host.includes(":") ? new URL(`http://[${host}]/`).hostname : host
}
