/** Why a server cannot listen, with a way out: the same for all servers here. */

export interface ListenFailure {
  readonly reason: "PortInUse" | "ListenFailed"
  /** One sentence. */
  readonly message: string
}

/** `error` is what node:net gave for that address; only its code and its words are looked at. */
export const listenFailure = (
  error: { readonly code?: string | undefined; readonly message: string },
  { host, port }: { readonly host: string; readonly port: number }
): ListenFailure => {
  switch (error.code) {
    case "EADDRINUSE":
      return {
        reason: "PortInUse",
        message: `Port ${port} on ${host} is in use: choose another port, or 0 for any free one.`
      }
    case "EACCES":
      return {
        reason: "ListenFailed",
        message: `No permission to listen on port ${port}: choose one from 1024 up, or 0 for any free one.`
      }
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return {
        reason: "ListenFailed",
        message: `"${host}" is no address of this machine: use 127.0.0.1 for this machine only, or 0.0.0.0 for all.`
      }
    default:
      return { reason: "ListenFailed", message: `Cannot listen on ${host}, port ${port}: ${error.message}` }
  }
}
