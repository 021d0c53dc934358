import { isMap, isScalar, LineCounter, parseDocument } from "yaml"
import { UsageError } from "../outcome.ts"
import { FLAGS } from "./flags.ts"
import { nearest } from "./nearest.ts"

export interface SettingsFile {
  readonly path: string
  /** By the key, which is the flag's name. Lines count from 1. */
  readonly entries: ReadonlyMap<string, { readonly value: unknown; readonly line: number }>
}

/** Reads carillon.yaml. Throws UsageError that names file, line, key and remedy. */
export function readSettingsFile(path: string, text: string): SettingsFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const lineAt = (offset: number | undefined) => (offset === undefined ? 1 : lines.linePos(offset).line)
  const [error] = document.errors
  if (error !== undefined)
    throw new UsageError(`${path} line ${lineAt(error.pos[0])}: ${error.message}; correct the YAML`)
  const entries = new Map<string, { readonly value: unknown; readonly line: number }>()
  const { contents } = document
  if (contents === null || (isScalar(contents) && contents.value === null)) return { path, entries }
  if (!isMap(contents))
    throw new UsageError(`${path} line 1: is no list of settings; write lines such as "domain: example.org"`)
  for (const { key, value } of contents.items) {
    const name = isScalar(key) ? String(key.value) : "?"
    const line = lineAt(isScalar(key) ? key.range?.[0] : undefined)
    if (!FLAGS.some((flag) => flag.name === name)) throw unknownKey(path, line, name)
    const plain: unknown = (value as { toJS(document: unknown): unknown } | null)?.toJS(document)
    if (plain !== undefined && plain !== null) entries.set(name, { value: plain, line })
  }
  return { path, entries }
}

function unknownKey(path: string, line: number, name: string): UsageError {
  const names = FLAGS.map((flag) => flag.name)
  const near = nearest(name, names)
  const remedy = near === undefined ? `known are ${names.join(", ")}` : `did you mean ${near}?`
  return new UsageError(`${path} line ${line}: there is no setting "${name}"; ${remedy}`)
}
