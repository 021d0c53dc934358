import { randomBytes } from "node:crypto"
import { mkdir, open, readFile } from "node:fs/promises"
import { join } from "node:path"

export const TOKEN_FILE = "admin-token"

/** The token that opens the control API: made at the first start, kept in the data directory. */
export async function adminToken(data: string): Promise<string> {
  await mkdir(data, { recursive: true, mode: 0o700 })
  const path = join(data, TOKEN_FILE)
  const known = await readFile(path, "utf8").catch(absent)
  if (known !== undefined && known.trim() !== "") return known.trim()
  const token = randomBytes(24).toString("base64url")
  const file = await open(path, "w", 0o600)
  await file.writeFile(`${token}\n`)
  await file.sync()
  await file.close()
  return token
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error
}
