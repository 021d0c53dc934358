import { join } from "node:path"
import { FarmNode, PORTS } from "../../test/interop/support/farm.ts"
import { removeDirectory, temporaryDirectory, until } from "../../test/interop/support/programs.ts"
import { RealPhone } from "../../test/interop/support/real-phone.ts"
import { type HalvedNetwork, PREFIX } from "./network.ts"

const DOMAIN = "halves.test"
const PASSWORD = "secret"

/** What ought to be known at every node: users, and at which Contacts each is registered. */
export class Expected {
  readonly users = new Set<string>()
  readonly contacts = new Map<string, string>()
}

/** A farm whose nodes stand in two halves, its phones, and what all nodes ought to know. */
export class Halves {
  readonly nodes: FarmNode[] = []
  readonly phones = new Map<string, RealPhone>()
  readonly expected = new Expected()
  readonly directory = temporaryDirectory()
  /** Changes that a half could not make, since all who hold the record were in the other one. */
  refused = 0
  readonly #network: HalvedNetwork

  constructor(network: HalvedNetwork) {
    this.#network = network
  }

  half = (half: number): readonly FarmNode[] => this.nodes.filter((_, index) => index % 2 === half)

  /** Every second node in the other half. */
  async grow(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const half = index % 2
      const host = `${PREFIX}.${1 + half}.${1 + index}`
      this.#network.addTo(half, host)
      const node = new FarmNode(host, join(this.directory, `node-${index}`), ["--http-host", host], {})
      node.within = this.#network.within(half)
      this.nodes.push(node)
      const [first] = this.nodes
      if (index === 0) await node.up("--domain", DOMAIN)
      else await node.up("--join", (await first!.ask("invite", "--node")).trim())
    }
    await until("all nodes know all", () => this.know(count))
  }

  /** All nodes of these know so many nodes, and no record lacks a copy. */
  async know(count: number, nodes: readonly FarmNode[] = this.nodes): Promise<boolean> {
    const all = await Promise.all(nodes.map((node) => statusOf(node)))
    return all.every((status) => status?.nodes.length === count)
  }

  /** Makes the user at that node; false where its half cannot. */
  async addUser(node: FarmNode, user: string): Promise<boolean> {
    const done = await this.#try(node, "user", "add", user, "--password", PASSWORD)
    if (done) this.expected.users.add(`${user}@${DOMAIN}`)
    return done
  }

  async removeUser(node: FarmNode, user: string): Promise<boolean> {
    const done = await this.#try(node, "user", "remove", user)
    if (done) {
      this.expected.users.delete(`${user}@${DOMAIN}`)
      this.expected.contacts.set(user, "")
    }
    return done
  }

  /** The user's phone registers there, 0 seconds to be registered nowhere; false where the half cannot. */
  async register(node: FarmNode, user: string, seconds = 3_600): Promise<boolean> {
    const proxy = { host: node.host, port: PORTS.sip }
    const phone = this.phones.get(user) ?? (await this.#open(user, proxy))
    const { status, contacts } = await phone.register(seconds, false, proxy)
    if (status !== 200) {
      this.refused++
      return false
    }
    this.expected.contacts.set(user, contacts.join(" "))
    return true
  }

  /** What any node knows otherwise than it ought to; undefined where all is well. */
  async complaint(): Promise<string | undefined> {
    for (const node of this.nodes) {
      const { users } = await call(node, "/api/users")
      const wanted = [...this.expected.users].sort().join(" ")
      if ([...users].sort().join(" ") !== wanted) return `${node.host} lists other users: ${users.join(" ")}`
      for (const [user, contacts] of this.expected.contacts) {
        const { bindings } = await call(node, `/api/lookup/${user}`)
        const found = bindings.map(({ contact }: { contact: string }) => contact).join(" ")
        if (found !== contacts)
          return `${node.host} finds ${user} at ${found || "no place"}, not ${contacts || "nowhere"}`
      }
    }
    return undefined
  }

  async end(): Promise<void> {
    for (const phone of this.phones.values()) phone.close()
    await Promise.all(this.nodes.map((node) => node.stop("SIGKILL")))
    await removeDirectory(this.directory)
  }

  async #open(user: string, proxy: { host: string; port: number }): Promise<RealPhone> {
    const phone = await RealPhone.open(`${PREFIX}.0.1`, { user, password: PASSWORD, domain: DOMAIN, proxy })
    this.phones.set(user, phone)
    return phone
  }

  async #try(node: FarmNode, ...args: readonly string[]): Promise<boolean> {
    const { code } = node.run(...args)
    if (code !== 0) this.refused++
    return code === 0
  }
}

const statusOf = (node: FarmNode) => call(node, "/api/status").catch(() => undefined)

async function call(node: FarmNode, path: string): Promise<any> {
  const headers = { authorization: `Bearer ${node.token()}` }
  const response = await fetch(node.http + path, { headers, signal: AbortSignal.timeout(20_000) })
  const body: unknown = await response.json()
  if (!response.ok) throw new Error(`${path} at ${node.host}: ${response.status} ${JSON.stringify(body)}`)
  return body
}
