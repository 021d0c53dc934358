import { passwordProblem, splitUserName, userNameProblem } from "../control/user-name.ts"

export interface UserLine {
  readonly name: string
  readonly password: string
}

/** Line `line`, counted from 1, `problem` is a sentence without its subject. */
export interface BadLine {
  readonly line: number
  readonly problem: string
}

export interface UserFile {
  readonly users: readonly UserLine[]
  readonly bad: readonly BadLine[]
}

/**
 * Reads `name,password` lines: fields may be quoted as in RFC 4180, empty lines are skipped, no
 * header. Judges every line, so that one run shows all that is wrong. `domain` is the fabric's.
 */
export function readUserFile(text: string, domain: string): UserFile {
  const users: UserLine[] = []
  const bad: BadLine[] = []
  const lineOf = new Map<string, number>()
  for (const [index, content] of text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\n|\r/)
    .entries()) {
    if (content.trim() === "") continue
    const line = index + 1
    const read = readLine(content, line, domain)
    if (typeof read === "string") {
      bad.push({ line, problem: read })
      continue
    }
    const { user } = splitUserName(read.name)
    const earlier = lineOf.get(user)
    if (earlier !== undefined) bad.push({ line, problem: `"${user}" stands on line ${earlier} already` })
    else users.push(read)
    lineOf.set(user, earlier ?? line)
  }
  return { users, bad }
}

function readLine(content: string, line: number, domain: string): UserLine | string {
  const fields = readFields(content)
  if (typeof fields === "string") return fields
  const [name, password] = fields
  if (name === undefined || password === undefined || fields.length !== 2)
    return `has ${fields.length} ${fields.length === 1 ? "field" : "fields"}; write name,password and quote what holds a comma`
  if (line === 1 && /^(user)?name$/i.test(name) && /^password$/i.test(password))
    return "looks like a header; remove it, or it would become a user"
  const badName = userNameProblem(name, domain)
  if (badName !== undefined) return `name "${name}" ${badName}`
  const badPassword = passwordProblem(password)
  return badPassword === undefined ? { name, password } : `the password of "${name}" ${badPassword}`
}

/** The fields of one line, or what is wrong with its quotes. RFC 4180 §2. */
function readFields(content: string): readonly string[] | string {
  const fields: string[] = []
  let at = 0
  for (;;) {
    const quoted = /^\s*"((?:[^"]|"")*)"\s*(?=,|$)/.exec(content.slice(at))
    const plain = quoted ?? /^[^,]*/.exec(content.slice(at))!
    if (quoted === null && /^\s*"/.test(plain[0]))
      return 'has a quote that does not end: write "" for a quote inside'
    fields.push(quoted === null ? plain[0].trim() : quoted[1]!.replaceAll('""', '"'))
    at += plain[0].length
    if (at >= content.length) return fields
    at++
  }
}
