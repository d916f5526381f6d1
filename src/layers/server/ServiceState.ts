/** What the parts of the HTTP service know of each other. */

/** Mutable; one for each service. */
export class ServiceState {
  /** No new work is taken: the service shuts down. */
  isDraining = false
  /** Requests that have begun and not ended, on all routes. */
  inflight = 0
}
