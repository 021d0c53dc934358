import { CarillonError } from "../../core/kit/errors.ts"

/** Why this node is not, or cannot become, a member of an overlay. */
export type MembershipProblem =
  /** The invite's text is not whole, or of a version that we do not read. */
  | "invite-damaged"
  | "invite-expired"
  | "invite-used-up"
  /** The enrolment node does not accept it: never issued by this fabric, or for other roles. */
  | "invite-refused"
  /** Data directory, invite or domain are of different overlays. */
  | "other-overlay"
  /** No enrolment node answered. */
  | "unreachable"
  /** An enrolment node of the overlay is there, and cannot do it at this moment. */
  | "busy"
  /** Somebody answered, and proved not to be an enrolment node of the invite's overlay. */
  | "untrusted"
  /** The data directory was written by a newer version, or is not whole. */
  | "newer-layout"
  | "damaged-directory"

/** The message says what is wrong, with which value, and what to do about it. */
export class MembershipError extends CarillonError {
  readonly code: `membership.${MembershipProblem}`
  readonly problem: MembershipProblem

  constructor(problem: MembershipProblem, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = `membership.${problem}`
    this.problem = problem
  }
}
