import { SaxesParser } from "saxes"
import { FormatError } from "../kit/errors.ts"
import { LIMITS } from "../kit/limits.ts"

/** An element with its place in the source text, so that signed parts are cut out untouched. */
export interface XmlElement {
  readonly namespace: string
  readonly name: string
  /** By local name; attributes in a namespace of their own are left out. */
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  /** Its own character data, without that of its children; white space at both ends removed. */
  readonly text: string
  readonly line: number
  /** Offset of the first `<` and behind the last `>`, in characters of the source. */
  readonly start: number
  readonly end: number
}

type Growing = { -readonly [Field in keyof XmlElement]: XmlElement[Field] } & { children: XmlElement[] }

/**
 * The root element of an XML 1.0 document. Strict: no document type, so no entities either; no
 * encoding but UTF-8. Throws FormatError that names the line.
 */
export function parseXml(source: string): XmlElement {
  const { documentCharacters, documentElements, documentDepth } = LIMITS.reload
  if (source.length > documentCharacters)
    throw new FormatError(`the document is over ${documentCharacters} characters`)
  const parser = new SaxesParser<{ xmlns: true }>({ xmlns: true })
  const open: Growing[] = []
  let root: XmlElement | undefined
  let elements = 0
  let start = 0
  const fail = (problem: string): never => {
    throw new FormatError(`line ${parser.line}: ${problem}`)
  }

  parser.on("error", (cause) => fail(cause.message.replace(/^\d+:\d+: /, "")))
  parser.on("doctype", () => fail("a document type is not allowed here"))
  parser.on("xmldecl", ({ encoding }) => {
    if (encoding !== undefined && encoding.toLowerCase() !== "utf-8")
      fail(`the encoding ${encoding} is not UTF-8`)
  })
  parser.on("opentagstart", () => {
    start = source.lastIndexOf("<", parser.position - 1)
  })
  parser.on("opentag", ({ uri, local, attributes }) => {
    if (open.length === documentDepth) fail(`elements are nested more than ${documentDepth} deep`)
    if (++elements > documentElements) fail(`there are more than ${documentElements} elements`)
    const plain = Object.values(attributes).filter((each) => each.uri === "")
    open.push({
      namespace: uri,
      name: local,
      attributes: new Map(plain.map((each) => [each.local, each.value])),
      children: [],
      text: "",
      line: parser.line,
      start,
      end: start,
    })
  })
  const characters = (text: string) => {
    const current = open.at(-1)
    if (current !== undefined) current.text += text
  }
  parser.on("text", characters)
  parser.on("cdata", characters)
  parser.on("closetag", () => {
    const closed = open.pop()!
    closed.end = parser.position
    closed.text = closed.text.trim()
    const parent = open.at(-1)
    if (parent === undefined) root = closed
    else parent.children.push(closed)
  })
  parser.write(source).close()
  return root ?? fail("there is no element")
}

/** Text as it may stand between tags and in a quoted attribute. */
export const escapeXml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
