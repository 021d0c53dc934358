import { Resolver } from "node:dns/promises"
import { isIP, isIPv4 } from "node:net"
import type { DnsQuestion, DnsRecord } from "../../core/service/sip-server-interface.ts"
import { HOST_LIMITS } from "../kit/limits.ts"

/** An empty list: there are no such records. `failed`: nobody could tell. */
export type DnsAnswer = readonly DnsRecord[] | "failed"

export interface Dns {
  /** `done` is called once, later, within the timeout. */
  resolve(question: DnsQuestion, done: (answer: DnsAnswer) => void): void
  stop(): void
}

/** Asks the system's name servers, or `servers` (`192.0.2.1:53`), as RFC 3263 needs it. */
export function createDns(servers?: readonly string[]): Dns {
  const resolver = new Resolver({ timeout: HOST_LIMITS.dns.timeout, tries: 1 })
  if (servers !== undefined) resolver.setServers(servers)
  let asked = 0
  return {
    resolve(question, done) {
      const known = withoutAsking(question)
      if (known !== undefined) {
        queueMicrotask(() => done(known))
      } else if (asked >= HOST_LIMITS.dns.questions) {
        queueMicrotask(() => done("failed"))
      } else {
        asked++
        void inTime(ask(resolver, question)).then((answer) => {
          asked--
          done(answer)
        })
      }
    },
    stop: () => resolver.cancel(),
  }
}

/** Numbers need no server, and `localhost` must not be asked for. RFC 6761 §6.3. */
function withoutAsking({ type, name }: DnsQuestion): readonly DnsRecord[] | undefined {
  const host = name.toLowerCase().replace(/\.$/, "")
  const isLocal = host === "localhost" || host.endsWith(".localhost")
  if (!isLocal && isIP(host) === 0) return undefined
  if (type !== "A" && type !== "AAAA") return []
  if (isLocal) return [{ type, address: type === "A" ? "127.0.0.1" : "::1" }]
  return isIPv4(host) === (type === "A") ? [{ type, address: host }] : []
}

async function ask(resolver: Resolver, { type, name }: DnsQuestion): Promise<DnsAnswer> {
  try {
    const records = await query(resolver, type, name)
    return records.slice(0, HOST_LIMITS.dns.records)
  } catch (cause) {
    return NO_SUCH_RECORDS.has((cause as NodeJS.ErrnoException).code ?? "") ? [] : "failed"
  }
}

/** The answer of a server, or that the name is none that could exist. */
const NO_SUCH_RECORDS: ReadonlySet<string> = new Set(["ENODATA", "ENOTFOUND", "EBADNAME", "EBADQUERY"])

async function query(
  resolver: Resolver,
  type: DnsQuestion["type"],
  name: string,
): Promise<readonly DnsRecord[]> {
  switch (type) {
    case "NAPTR":
      return (await resolver.resolveNaptr(name)).map(({ order, preference, flags, service, replacement }) => {
        return { type, order, preference, flags, service, replacement }
      })
    case "SRV":
      return (await resolver.resolveSrv(name)).map(({ priority, weight, port, name: target }) => {
        return { type, priority, weight, port, target }
      })
    case "A":
      return (await resolver.resolve4(name)).map((address) => ({ type, address }))
    case "AAAA":
      return (await resolver.resolve6(name)).map((address) => ({ type, address }))
  }
}

/** The resolver's own timeout is for each server in turn; a caller is waiting. */
function inTime(answer: Promise<DnsAnswer>): Promise<DnsAnswer> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve("failed"), HOST_LIMITS.dns.timeout)
    void answer.then((records) => {
      clearTimeout(timer)
      resolve(records)
    })
  })
}
