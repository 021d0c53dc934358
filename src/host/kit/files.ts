import { mkdir, open, readFile, rename, stat, unlink } from "node:fs/promises"
import { basename, dirname, join } from "node:path"

// Files of the data directory: for their owner's eyes only, and whole or not there at all.

const PRIVATE_FILE = 0o600
const PRIVATE_DIRECTORY = 0o700

/** Like a recursive mkdir; Node's own never ends where the system denies a parent that is there, as /proc does. */
export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, PRIVATE_DIRECTORY)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return
    const parent = dirname(path)
    const isParentAbsent = code === "ENOENT" && (await stat(parent).then(no, yes)) && parent !== path
    if (!isParentAbsent) throw cause
    await makePrivateDirectory(parent)
    await makePrivateDirectory(path)
  }
}

const yes = () => true
const no = () => false

/** Replaces the file in one step that survives a loss of power; readers see the old or the new one. */
export async function writePrivateFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.new`)
  await unlink(temporary).catch(ignoreAbsence)
  const file = await open(temporary, "wx", PRIVATE_FILE)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncDirectory(dirname(path))
}

/** Makes renames inside the directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r")
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** Undefined where there is no such file. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8")
  } catch (cause) {
    ignoreAbsence(cause)
    return undefined
  }
}

function ignoreAbsence(cause: unknown): void {
  if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause
}
