import { DEFAULT_ROLES, ENROLMENT } from "../../core/identity/roles.ts"
import { CarillonError, invariant } from "../../core/kit/errors.ts"
import type { Instant } from "../../core/kit/time.ts"
import { parseConfiguration } from "../../core/reload/configuration-document.ts"
import type { StorageChange } from "../../core/storage/change.ts"
import { openAuthority, writeAuthority } from "../authority/authority.ts"
import { openSslCryptography } from "../crypto/cryptography.ts"
import { newKey, pemOf } from "../crypto/issuing.ts"
import { createSigningRequest } from "../crypto/signing-request.ts"
import { openStore, type PersistAnswer } from "../store/store.ts"
import { type Backup, BackupError } from "./backup.ts"
import type { Member } from "./member.ts"
import { openMembership, refuseMember, writeMembership } from "./membership.ts"
import { beginMembership, commitMembership } from "./membership-files.ts"

/** Written in one transaction. */
const AT_A_TIME = 10_000

/**
 * Makes `data` the directory of a new node of the backup's overlay, which holds the CA and all records. It is a
 * new node, so that whoever was backed up may live on or be restored twice. Throws BackupError, MembershipError.
 */
export async function restoreBackup(data: string, backup: Backup, now: Instant): Promise<Member> {
  await refuseMember(data)
  const cryptography = openSslCryptography()
  const { configuration } = readDocument(backup.document)
  const files = await beginMembership(data)
  await writeAuthority(files.authority, backup.secrets)
  const authority = await openAuthority(files.authority, configuration.instanceName, cryptography)
  invariant(authority !== undefined, "the CA has just been written")
  const key = newKey()
  const roles = [...DEFAULT_ROLES, ENROLMENT]
  const admitted = await authority.admit({ request: createSigningRequest(key), roles, now })
  invariant(admitted.kind === "issued", "a CA admits its own node")
  // The records first: a directory that is a member's has all of them.
  await writeRecords(data, backup.records)
  await writeMembership(files, {
    document: backup.document,
    key,
    chain: pemOf(admitted.certificate) + pemOf(authority.rootCertificate),
    fabricKeys: backup.fabricKeys,
  })
  await commitMembership(data, files)
  const member = await openMembership(data)
  invariant(member !== undefined, "the membership has just been written")
  return member
}

function readDocument(document: string) {
  try {
    return parseConfiguration(document)
  } catch (cause) {
    if (!(cause instanceof CarillonError)) throw cause
    throw new BackupError(`the configuration in it cannot be read: ${cause.message}`, { cause })
  }
}

async function writeRecords(data: string, records: readonly StorageChange[]): Promise<void> {
  const answers = new Map<number, (answer: PersistAnswer) => void>()
  const { store } = await openStore(data, (answer) => answers.get(answer.ticket)?.(answer))
  try {
    for (let start = 0; start < records.length; start += AT_A_TIME) {
      const { promise, resolve } = Promise.withResolvers<PersistAnswer>()
      answers.set(start, resolve)
      store.persist(start, records.slice(start, start + AT_A_TIME))
      const answer = await promise
      if (answer.kind === "persist-failed")
        throw new BackupError(`its records cannot be written to ${data}: ${answer.reason}`)
    }
  } finally {
    await store.close()
  }
}
