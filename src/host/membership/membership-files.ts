import { rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { type Address, formatAddress } from "../../core/kit/address.ts"
import { toBase64Url } from "../../core/kit/bytes.ts"
import { parseAddress } from "../../core/kit/parse-address.ts"
import type { FabricKey } from "../enrolment/invite.ts"
import { makePrivateDirectory, readIfPresent, syncDirectory, writePrivateFile } from "../kit/files.ts"
import { MembershipError } from "../kit/membership-error.ts"

// The membership's part of the data directory:
//
//   version                       layout of the whole data directory
//   membership/                   there once the node is a member, and whole
//     configuration.xml           the signed document
//     node.key  node.crt          leaf and root
//     phone.key phone.crt         what phones see; leaf and root
//     fabric-keys.json
//     enrolment.json              where enrolment is served; absent on the overlay's first at first
//     authority/                  the CA, on a node that has it
//   membership.partial/           while it is being made; node.key outlives a failed attempt

const LAYOUT = 1

export interface MembershipFiles {
  readonly directory: string
  readonly configuration: string
  readonly nodeKey: string
  readonly nodeCertificate: string
  readonly phoneKey: string
  readonly phoneCertificate: string
  readonly fabricKeys: string
  readonly enrolment: string
  readonly authority: string
}

const filesIn = (directory: string): MembershipFiles => ({
  directory,
  configuration: join(directory, "configuration.xml"),
  nodeKey: join(directory, "node.key"),
  nodeCertificate: join(directory, "node.crt"),
  phoneKey: join(directory, "phone.key"),
  phoneCertificate: join(directory, "phone.crt"),
  fabricKeys: join(directory, "fabric-keys.json"),
  enrolment: join(directory, "enrolment.json"),
  authority: join(directory, "authority"),
})

const membershipPath = (data: string): string => join(data, "membership")
const versionPath = (data: string): string => join(data, "version")

/** The files of a member; undefined where the directory is of none yet. Refuses newer layouts. */
export async function findMembership(data: string): Promise<MembershipFiles | undefined> {
  const version = await readIfPresent(versionPath(data))
  if (version === undefined) return undefined
  const layout = Number(version)
  if (!Number.isSafeInteger(layout) || layout < 1) {
    throw damaged(data, `its file version says "${version.trim().slice(0, 20)}"`)
  }
  if (layout > LAYOUT) {
    throw new MembershipError(
      "newer-layout",
      `the data directory ${data} has layout ${layout} and this Carillon knows ${LAYOUT}: ` +
        "use the newer version that wrote it, or another --data",
    )
  }
  const files = filesIn(membershipPath(data))
  return (await readIfPresent(files.configuration)) === undefined ? undefined : files
}

/** Where a membership is put together; `commitMembership` makes it the directory's. */
export async function beginMembership(data: string): Promise<MembershipFiles> {
  await makePrivateDirectory(data)
  const files = filesIn(join(data, "membership.partial"))
  await rm(files.authority, { recursive: true, force: true })
  await makePrivateDirectory(files.directory)
  return files
}

export async function commitMembership(data: string, partial: MembershipFiles): Promise<MembershipFiles> {
  await writePrivateFile(versionPath(data), `${LAYOUT}\n`)
  const files = filesIn(membershipPath(data))
  await syncDirectory(partial.directory)
  await rename(partial.directory, files.directory)
  await syncDirectory(data)
  return files
}

/** The text of a file that a member cannot be without. */
export async function readRequired(path: string): Promise<string> {
  const text = await readIfPresent(path)
  if (text === undefined) throw damaged(path, "it is missing")
  return text
}

export const printFabricKeys = (keys: readonly FabricKey[]): string =>
  `${JSON.stringify({ keys: keys.map(({ epoch, key }) => ({ epoch, key: toBase64Url(key) })) })}\n`

export const printEnrolment = (addresses: readonly Address[]): string =>
  `${JSON.stringify({ addresses: addresses.map(formatAddress) })}\n`

/** Addresses of enrolment nodes that have served this node, or were seen last. */
export async function readEnrolment(path: string): Promise<readonly Address[]> {
  const text = await readIfPresent(path)
  if (text === undefined) return []
  try {
    const { addresses } = JSON.parse(text) as { readonly addresses: readonly string[] }
    return addresses.map((each) => parseAddress(each)).filter((each) => each !== undefined)
  } catch (cause) {
    throw damaged(path, "its addresses cannot be read", cause)
  }
}

export const damaged = (path: string, what: string, cause?: unknown): MembershipError =>
  new MembershipError(
    "damaged-directory",
    `${path} cannot be used: ${what}; restore the data directory from its backup, or begin with another --data`,
    { cause },
  )
