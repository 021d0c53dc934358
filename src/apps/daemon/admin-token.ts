import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { CarillonError } from "../../core/kit/errors.ts"
import { makePrivateDirectory, readIfPresent, writePrivateFile } from "../../host/kit/files.ts"

/** The data directory cannot be made, read or written. */
export class DataDirectoryError extends CarillonError {
  readonly code = "data-directory"
}

/** The token that opens the control API: made at the first start, kept in the data directory. */
export async function adminToken(data: string): Promise<string> {
  const path = join(data, "admin-token")
  try {
    await makePrivateDirectory(data)
    const known = (await readIfPresent(path))?.trim()
    if (known !== undefined && known !== "") return known
    const token = randomBytes(24).toString("base64url")
    await writePrivateFile(path, `${token}\n`)
    return token
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const remedy = REMEDIES[code ?? ""] ?? `cannot be used (${code ?? message}); name another with --data`
    throw new DataDirectoryError(`the data directory ${data} ${remedy}`, { cause: error })
  }
}

const NO_DIRECTORY = "is none, nor can one be made there; name another with --data"
const NOT_OURS = "may not be written by this user; make it this user's, or name another with --data"

const REMEDIES: Readonly<Record<string, string>> = {
  EEXIST: "is a file; name a directory with --data",
  EISDIR: "holds a directory named admin-token; remove that, or name another with --data",
  ENOENT: NO_DIRECTORY,
  ENOTDIR: NO_DIRECTORY,
  EACCES: NOT_OURS,
  EPERM: NOT_OURS,
  EROFS: NOT_OURS,
}
