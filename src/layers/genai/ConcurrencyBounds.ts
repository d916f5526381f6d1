/** How far the concurrency of each endpoint may grow on this machine. */
import type { EndpointConfig } from "../../domain/config/DispatcherConfig.ts"
import type { SystemLimit } from "./SystemLimits.ts"

/** Most requests at once, and what holds it there when that is the machine and not the config. */
export interface ConcurrencyBound {
  readonly concurrency: number
  readonly heldBy: string | undefined
}

/**
 * The bounds in the order of the endpoints. What the user has set stands; endpoints that find their concurrency by
 * themselves share what is left of the connections. The limits are asked for only when there is such an endpoint; those on
 * connections to one endpoint are the machine's, of which this process has its share.
 */
export const concurrencyBounds = (
  endpoints: ReadonlyArray<Pick<EndpointConfig, "autoConcurrency" | "concurrency">>,
  limits: () => { readonly all: SystemLimit | undefined; readonly each: SystemLimit | undefined },
  processes = 1
): ReadonlyArray<ConcurrencyBound> => {
  const growing = endpoints.filter(({ autoConcurrency }) => autoConcurrency)
  if (growing.length === 0) return endpoints.map(({ concurrency }) => ({ concurrency, heldBy: undefined }))
  const { all, each: machines } = limits()
  const each = machines && { ...machines, connections: Math.max(1, Math.floor(machines.connections / processes)) }
  const taken = endpoints.reduce(
    (sum, { autoConcurrency, concurrency }) => sum + (autoConcurrency ? 0 : concurrency),
    0
  )
  const share = all && { ...all, connections: Math.max(1, Math.floor((all.connections - taken) / growing.length)) }
  return endpoints.map(({ autoConcurrency, concurrency }) => {
    if (!autoConcurrency) return { concurrency, heldBy: undefined }
    const found = [share, each].filter((limit) => limit !== undefined && limit.connections < concurrency)
    const least = found.reduce((a, b) => (a!.connections <= b!.connections ? a : b), found[0])
    return { concurrency: least?.connections ?? concurrency, heldBy: least?.explanation }
  })
}
