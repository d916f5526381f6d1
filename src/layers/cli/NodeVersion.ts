/** Which Node the tool needs. Imports nothing, so that an old one can load it. */

/** As in the package's `engines`. */
export const LEAST_NODE = "22.19"

/** Whether a version of Node, such as `20.20.2`, is older than the tool needs. */
export const isTooOld = (version: string): boolean => {
  const [leastMajor = 0, leastMinor = 0] = LEAST_NODE.split(".").map(Number)
  const [major = 0, minor = 0] = version.split(".").map(Number)
  return major < leastMajor || (major === leastMajor && minor < leastMinor)
}
