import type { NodeStatus } from "../../src/core/node/interface.ts"
import type { FarmNode } from "../../test/interop/support/farm.ts"

export async function statusOf(node: FarmNode): Promise<NodeStatus> {
  const response = await fetch(`${node.http}/api/status`)
  return (await response.json()) as NodeStatus
}

export interface Holders {
  readonly user: boolean
  readonly bindings: readonly unknown[]
  readonly responsible: string
  readonly copies: readonly string[]
}

/** Where the record of a user is, his bindings with him, and what it says. */
export async function lookUp(node: FarmNode, aor: string): Promise<Holders> {
  const response = await fetch(`${node.http}/api/lookup/${encodeURIComponent(aor)}`, {
    headers: { authorization: `Bearer ${node.token()}` },
  })
  return (await response.json()) as Holders
}

const SILENT = /^(\S+) \S+ +overlay\.unlinked node=(\S+) reason="it does not answer any more"/gm

/** How often `watchers` have taken one another for dead since then, because answers took too long. */
export function takenForDead(watchers: readonly FarmNode[], since: number): number {
  const lines = watchers.flatMap(({ program }) => [...(program?.output ?? "").matchAll(SILENT)])
  return lines.filter(([, time]) => Date.parse(time!) >= since).length
}

const UNLINKED = /^(\S+) \S+ +overlay\.unlinked node=(\S+)/gm

/**
 * How long it took each of `watchers` to take `node` off its routes after `since`, in milliseconds, as their logs say;
 * those that have not are left out. From that moment on nothing is sent there, and what waited goes another way.
 */
export function noticedAfter(watchers: readonly FarmNode[], node: string, since: number): readonly number[] {
  return watchers.flatMap(({ program }) => {
    const lines = [...(program?.output ?? "").matchAll(UNLINKED)]
    const times = lines.flatMap(([, time, who]) => (who === node ? [Date.parse(time!)] : []))
    const first = times.find((time) => time >= since - 1)
    return first === undefined ? [] : [Math.max(0, first - since)]
  })
}
