/** The API keys of a service: who a presented key belongs to, how keys are made, and how they stand in the config. */
import { createHash, randomBytes } from "node:crypto"
import type { ApiKeyConfig } from "../config/ServerConfig.ts"

/** SHA-256 in hex. Keys are random and long, so that a hash without salt gives nothing away. */
export const hashKey = (key: string): string => createHash("sha256").update(key).digest("hex")

/** What keys start with, so that people and scanners of secrets know one when they see it. */
export const KEY_PREFIX = "gd_"

/** 256 bits: nobody guesses one. */
const KEY_BYTES = 32

/** A new key that nobody else has. */
export const makeKey = (): string => KEY_PREFIX + randomBytes(KEY_BYTES).toString("base64url")

/**
 * Finds the key that somebody presents.
 *
 * What is compared are hashes: how long a lookup takes tells of the hash of a guess, and nothing of the keys.
 */
export class KeyRing {
  private readonly keys: ReadonlyMap<string, ApiKeyConfig>

  constructor(keys: ReadonlyArray<ApiKeyConfig>) {
    this.keys = new Map(keys.map((key) => [key.sha256, key]))
  }

  /** Whether there are no keys: then anybody may use the service. */
  get isEmpty(): boolean {
    return this.keys.size === 0
  }

  /** Whose key it is; `undefined` when it is nobody's. */
  lookup(credential: string): ApiKeyConfig | undefined {
    return this.keys.get(hashKey(credential))
  }
}
