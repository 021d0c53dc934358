/** Functions that an invite may give a node in this version; one that serves none of them does nothing. */
export const ROLES_TO_GIVE: readonly string[] = ["registrar", "proxy", "provisioner"]

/** As `up` takes them: `enrolment` comes of itself to the first node of a fabric, and may be named there. */
export const KNOWN_ROLES: readonly string[] = [...ROLES_TO_GIVE, "enrolment"]
