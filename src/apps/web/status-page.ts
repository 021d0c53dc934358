import { createHash } from "node:crypto"

// One page without a build, a library or a token: it shows what /api/status says, every two seconds.

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2733; --dim: #5c6b7a; --paper: #f6f7f9; --card: #fff; --line: #dfe4ea;
  --good: #1a7f4b; --bad: #b3261e; --wait: #9a6700 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --dim: #94a3b3; --paper: #12181f; --card: #1b232c;
  --line: #2c3743; --good: #4cc38a; --bad: #ff8a80; --wait: #e3b341 } }
* { box-sizing: border-box }
body { margin: 0; padding: 1rem; font: 16px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
main { max-width: 64rem; margin: 0 auto }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline }
h1 { font-size: 1.4rem; margin: 0 } h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; color: var(--dim) }
#health { font-weight: 600 } .good { color: var(--good) } .bad { color: var(--bad) } .wait { color: var(--wait) }
.dim { color: var(--dim) }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .6rem; margin: 0 }
.cards div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem }
dt { color: var(--dim); font-size: .85rem } dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; background: var(--card); border: 1px solid var(--line) }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap }
th { font-size: .85rem; color: var(--dim); font-weight: 500 } td.id { font-family: ui-monospace, monospace }
`

const SCRIPT = `
"use strict"
const at = (id) => document.getElementById(id)
const make = (tag, text, className) => {
  const element = document.createElement(tag)
  element.textContent = text
  if (className) element.className = className
  return element
}
const card = (name, value) => {
  const box = make("div", "")
  box.append(make("dt", name), make("dd", value))
  return box
}
const span = (seconds) => {
  const days = Math.floor(seconds / 86400)
  const hours = Math.floor(seconds / 3600) % 24
  const minutes = Math.floor(seconds / 60) % 60
  return days > 0 ? days + " d " + hours + " h" : hours > 0 ? hours + " h " + minutes + " min" : minutes + " min"
}
const LOOKS = { healthy: "good", unhealthy: "bad" }
function say(state, text) {
  at("health").textContent = text
  at("health").className = LOOKS[state] || "wait"
}
function show(status) {
  const { health, records, sip } = status
  document.title = "Carillon · " + status.domain
  at("domain").textContent = status.domain
  at("about").textContent = "node " + status.node.slice(0, 8) + " at " + status.advertised + ", version " +
    status.version + ", up " + span(status.uptimeSeconds)
  say(health.state, health.cause ? health.state + ": " + health.cause : health.state)
  at("fabric").replaceChildren(
    card("nodes living", status.nodes.length),
    card("more may die", status.mayDie),
    ...Object.entries(status.roleCounts).sort().map(([role, count]) => card(role, count)))
  at("own").replaceChildren(
    card("records held", records.held),
    card("records due", records.due),
    card("records short of a copy", records.short),
    card("records being repaired", records.repairing),
    card("registrations", sip.registrations),
    card("calls being set up", sip.pendingInvites),
    card("calls answered", sip.answeredCalls),
    card("transactions", sip.pendingTransactions),
    card("certificate, days left", status.certificateDaysLeft))
  at("nodes").replaceChildren(...status.nodes.map((node) => {
    const row = make("tr", "")
    row.append(make("td", node.node.slice(0, 8), "id"), make("td", node.address),
      make("td", node.roles.join(", ")), make("td", node.version || "unknown"), make("td", node.self ? "this node" : "", "dim"))
    return row
  }))
}
async function refresh() {
  try {
    const response = await fetch("/api/status", { signal: AbortSignal.timeout(5000) })
    if (!response.ok) throw new Error("HTTP " + response.status)
    show(await response.json())
  } catch (error) {
    say("unhealthy", "this node does not answer (" + error.message + ")")
  }
  setTimeout(refresh, 2000)
}
refresh()
`

const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

/** Only what stands in the page runs, and it talks to its own node alone. */
export const STATUS_PAGE_POLICY = `default-src 'none'; style-src ${hash(STYLE)}; script-src ${hash(SCRIPT)}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

export const STATUS_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Carillon</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header><h1>Carillon <span id="domain"></span></h1><span id="health" class="wait" role="status">asking…</span></header>
<p id="about" class="dim"></p>
<h2>The fabric</h2>
<dl id="fabric" class="cards"></dl>
<h2>This node</h2>
<dl id="own" class="cards"></dl>
<h2>Nodes</h2>
<div class="scroll"><table><thead><tr><th>node</th><th>address</th><th>roles</th><th>version</th><th></th></tr></thead>
<tbody id="nodes"></tbody></table></div>
<p class="dim"><a href="/metrics">metrics</a> · <a href="/healthz">health</a> · <a href="/api/openapi.json">API</a></p>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`
