/** Why the sandbox does not run. */
import * as Schema from "effect/Schema"

/** `message` is one sentence with a way out. */
export class SandboxError extends Schema.TaggedError<SandboxError>()("SandboxError", {
  message: Schema.String,
  /**
   * - `InvalidOption`: a setting has a wrong value;
   * - `KeyVariableUnset`: an environment variable that should hold an API key does not;
   * - `PortInUse`: another program listens there;
   * - `ListenFailed`: the address cannot be used for another reason.
   */
  reason: Schema.Literals(["InvalidOption", "KeyVariableUnset", "PortInUse", "ListenFailed"])
}) {}
