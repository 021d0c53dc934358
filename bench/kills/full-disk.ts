import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** A disk of its own, in memory, that can be full. Mounting needs root. */
export class SmallDisk {
  readonly path: string
  readonly #fill: string

  /** `size` in bytes. Throws where it cannot be mounted. */
  constructor(path: string, size: number) {
    this.path = path
    this.#fill = join(path, "fill")
    mkdirSync(path, { recursive: true })
    const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path])
    if (status !== 0) throw new Error(`${path}: no small disk can be mounted there: ${stderr}`.trim())
  }

  /** Takes all the space that is left. */
  fill(): void {
    const block = new Uint8Array(4_096)
    for (;;)
      try {
        writeFileSync(this.#fill, block, { flag: "a" })
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === "ENOSPC") return
        throw cause
      }
  }

  free(): void {
    rmSync(this.#fill, { force: true })
  }

  remove(): void {
    spawnSync("umount", [this.path])
  }
}

/** Why small disks cannot be had here; false where they can. */
export const noSmallDisks = (): string | false =>
  process.getuid?.() === 0 ? false : "a small disk can be mounted by root only"
