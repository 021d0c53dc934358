/**
 * Kamailio doing what Carillon does: registrar with a location table in memory, digest, stateful relay with
 * Record-Route, and the checks of its default configuration. One password rule serves all users (`u7` has
 * `secret-7`), so that it needs no database: that is in its favour.
 */
export function kamailioSettings({
  domain,
  port,
  digest,
}: {
  readonly domain: string
  readonly port: number
  readonly digest: boolean
}): string {
  const modules = "tm sl rr pv maxfwd usrloc registrar textops siputils auth sanity xlog kex corex"
  const authenticated = (kind: "www" | "proxy") => `
    $var(password) = "secret-" + $(au{s.substr,1,0});
    if (!pv_${kind}_authenticate("${domain}", "$var(password)", "0")) {
      ${kind}_challenge("${domain}", "1");
      exit;
    }`
  return `
debug=-1
log_stderror=yes
fork=yes
children=1
auto_aliases=no
alias="${domain}"
listen=udp:127.0.0.1:${port}
disable_tcp=yes
dns=no
rev_dns=no
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
${modules
  .split(" ")
  .map((name) => `loadmodule "${name}.so"`)
  .join("\n")}
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "hash_size", 14)
modparam("usrloc", "timer_interval", 60)
modparam("registrar", "max_expires", 3600)
modparam("rr", "enable_full_lr", 0)
modparam("rr", "append_fromtag", 0)
modparam("auth", "nonce_expire", 300)

request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (!sanity_check("1511", "7")) { exit; }
  if (has_totag()) {
    if (loose_route()) { route(RELAY); exit; }
    if (is_method("ACK") && t_check_trans()) { t_relay(); }
    exit;
  }
  if (is_method("CANCEL")) { if (t_check_trans()) route(RELAY); exit; }
  if (is_method("OPTIONS") && uri == myself) { options_reply(); exit; }
  if (is_method("REGISTER")) {${digest ? authenticated("www") : ""}
    if (!save("location")) { sl_reply_error(); }
    exit;
  }
  t_check_trans();
  if (is_method("INVITE")) {${digest ? `${authenticated("proxy")}\n    consume_credentials();` : ""}
    record_route();
  }
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  route(RELAY);
}

route[RELAY] {
  if (!t_relay()) { sl_reply_error(); }
  exit;
}

event_route[core:worker-one-init] { xlog("L_ALERT", "ready for the bench\\n"); }
`
}
