/** Who asks the overlay: answers go back by it. */
export const Owner = {
  stores: 0,
  provisioning: 1,
  hops: 2,
  health: 3,
  lookup: 4,
  enrolment: 5,
  versions: 6,
} as const
