import { readFile, writeFile } from "node:fs/promises"
import { ENROLMENT } from "../../core/identity/roles.ts"
import { CarillonError } from "../../core/kit/errors.ts"
import type { RunningFabric } from "../../host/enrolment/running-fabric.ts"
import { systemClock } from "../../host/kit/clock.ts"
import { BackupError, openBackup, sealBackup } from "../../host/membership/backup.ts"
import { gatherBackup } from "../../host/membership/gathering.ts"
import type { Member } from "../../host/membership/member.ts"
import { restoreBackup } from "../../host/membership/restoring.ts"
import { ControlError } from "../control/control-error.ts"
import type { Controlled } from "./handlers.ts"

/** Makes backups of the whole fabric, sealed with a passphrase, on a node that holds the CA. */
export function backupMaker(
  membership: Member,
  fabric: Pick<RunningFabric, "nodes" | "snapshot">,
): Controlled["backup"] {
  return async (passphrase) => {
    if (!membership.isAuthority) {
      const holders = fabric.nodes().filter(({ roles }) => roles.includes(ENROLMENT))
      const where = holders.map(({ address }) => address).join(", ") || "none that this node sees"
      throw new ControlError(
        409,
        "no-authority",
        `this node does not hold the CA, without which a backup is worth little; make it on one that does: ${where}`,
      )
    }
    const { backup, nodes, missing } = await gatherBackup(membership, fabric)
    const sealed = await sealBackup(backup, passphrase)
    return {
      overlay: membership.configuration.instanceName,
      backup: Buffer.from(sealed).toString("base64"),
      values: backup.records.filter(({ kind }) => kind === "put").length,
      nodes,
      missing: [...missing],
    }
  }
}

/** Makes `data` a new node's directory, with all that is in the backup. Throws CarillonError, a sentence. */
export async function restoreFrom(
  file: string,
  data: string,
  passphrase: string,
): Promise<{ readonly overlay: string; readonly node: string; readonly values: number }> {
  const bytes = await onFile(`the backup ${file} cannot be read`, () => readFile(file))
  try {
    const backup = await openBackup(bytes, passphrase)
    const { configuration, identity } = await restoreBackup(data, backup, systemClock())
    const values = backup.records.filter(({ kind }) => kind === "put").length
    return { overlay: configuration.instanceName, node: identity.nodeId, values }
  } catch (cause) {
    if (cause instanceof BackupError) throw new BackupError(`the backup ${file}: ${cause.message}`, { cause })
    throw cause
  }
}

/** For its owner only; never over another file. */
export const writeBackup = (file: string, base64: string): Promise<void> =>
  onFile(`the backup cannot be written to ${file}`, () =>
    writeFile(file, Buffer.from(base64, "base64"), { flag: "wx", mode: 0o600 }),
  )

class FileError extends CarillonError {
  readonly code = "file"
}

const REMEDIES: Readonly<Record<string, string>> = {
  EEXIST: "it is there already; give another name",
  ENOENT: "there is no such file or directory; check the path",
  EACCES: "this user may not; give another path",
}

async function onFile<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new FileError(`${what}: ${REMEDIES[code ?? ""] ?? message}`, { cause })
  }
}
