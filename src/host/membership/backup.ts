import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto"
import { toUtf8 } from "../../core/kit/bytes.ts"
import { CarillonError } from "../../core/kit/errors.ts"
import type { StorageChange } from "../../core/storage/change.ts"
import type { AuthoritySecrets } from "../authority/authority.ts"
import { parseFabricKeys } from "../enrolment/enrolment-client.ts"
import type { FabricKey } from "../enrolment/invite.ts"
import { parseSecrets } from "../enrolment/member-requests.ts"
import { pack, parseRecords, printRecords, unpack } from "../enrolment/records-text.ts"
import { printFabricKeys } from "./membership-files.ts"

// A backup: one file, sealed with a passphrase.
//
//   carillon-backup-2\n    18 bytes
//   salt                   16 bytes, for scrypt (N 2^15, r 8, p 1)
//   nonce                  12 bytes, for AES-256-GCM, which the 46 bytes so far are bound into
//   cipher text            of gzip of lines of JSON: keys and configuration, then each record
//   tag                    16 bytes

/** All that a fabric needs to rise again. */
export interface Backup {
  readonly secrets: AuthoritySecrets
  /** The signed configuration document. */
  readonly document: string
  readonly fabricKeys: readonly FabricKey[]
  readonly records: readonly StorageChange[]
}

/** The file is no backup, not whole, or does not open with that passphrase. */
export class BackupError extends CarillonError {
  readonly code = "host.backup"
}

const MAGIC = toUtf8("carillon-backup-2\n")
const SALT = 16
const NONCE = 12
const TAG = 16
const HEADER = MAGIC.length + SALT + NONCE

export async function sealBackup(backup: Backup, passphrase: string): Promise<Uint8Array> {
  const header = Buffer.concat([MAGIC, randomBytes(SALT + NONCE)])
  const { key, nonce } = await keyOf(header, passphrase)
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(header)
  const sealed = cipher.update(await pack(printBackup(backup)))
  return Uint8Array.from(Buffer.concat([header, sealed, cipher.final(), cipher.getAuthTag()]))
}

async function* printBackup({ secrets, document, fabricKeys, records }: Backup): AsyncGenerator<string> {
  const keys = {
    version: 2,
    secrets: JSON.stringify({ version: 1, ...secrets }),
    document,
    fabricKeys: printFabricKeys(fabricKeys),
  }
  yield `${JSON.stringify(keys)}\n`
  yield* printRecords(records)
}

/** Throws BackupError. */
export async function openBackup(bytes: Uint8Array, passphrase: string): Promise<Backup> {
  const header = bytes.subarray(0, HEADER)
  if (bytes.length < HEADER + TAG || Buffer.compare(header.subarray(0, MAGIC.length), MAGIC) !== 0)
    throw new BackupError("it is no backup of Carillon, or of a version that this one does not read")
  const backup = await parseBackup(unpack(await unseal(header, bytes.subarray(HEADER), passphrase)))
  if (backup === undefined)
    throw new BackupError("what is in it cannot be read: a newer version wrote it; use that one")
  return backup
}

async function unseal(header: Uint8Array, rest: Uint8Array, passphrase: string): Promise<Uint8Array> {
  const { key, nonce } = await keyOf(header, passphrase)
  const decipher = createDecipheriv("aes-256-gcm", key, nonce).setAAD(header)
  decipher.setAuthTag(rest.subarray(-TAG))
  const opened = decipher.update(rest.subarray(0, -TAG))
  try {
    decipher.final()
  } catch (cause) {
    throw new BackupError(
      "it does not open: the passphrase is another, or the file was changed or cut short",
      {
        cause,
      },
    )
  }
  return opened
}

async function parseBackup(lines: AsyncGenerator<string>): Promise<Backup | undefined> {
  const first = await lines.next()
  const { version, secrets, document, fabricKeys } = JSON.parse(first.value ?? "{}") as Record<
    string,
    unknown
  >
  const isText = [secrets, document, fabricKeys].every((part) => typeof part === "string")
  if (version !== 2 || !isText) return undefined
  const keys = parseFabricKeys(fabricKeys as string)
  const authority = parseSecrets(secrets as string)
  if (keys === undefined || authority === undefined) return undefined
  return {
    secrets: authority,
    document: document as string,
    fabricKeys: keys,
    records: await parseRecords(lines),
  }
}

/** A guess costs 32 MiB and some 100 ms. */
function keyOf(
  header: Uint8Array,
  passphrase: string,
): Promise<{ readonly key: Buffer; readonly nonce: Uint8Array }> {
  const salt = header.subarray(MAGIC.length, MAGIC.length + SALT)
  const nonce = header.subarray(MAGIC.length + SALT)
  return new Promise((resolve, reject) => {
    const cost = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 }
    scrypt(passphrase.normalize("NFC"), salt, 32, cost, (error, key) => {
      if (error) reject(error)
      else resolve({ key, nonce })
    })
  })
}
