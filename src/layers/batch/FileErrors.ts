/** What the system says about a file, as a sentence with a way out. */
import * as NodePath from "node:path"
import type * as PlatformError from "effect/PlatformError"
import { BatchError } from "../../services/BatchRunner.ts"

/** The system's error code, such as `ENOSPC`; the kind of error when it has none. */
export const errorCode = (error: PlatformError.PlatformError): string => {
  const cause = error.reason.cause
  return typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : error.reason._tag
}

/** How messages name a file; `-` is a standard stream. */
export const inputName = (path: string): string => (path === "-" ? "standard input" : path)
export const outputName = (path: string): string => (path === "-" ? "standard output" : path)

/** The input could not be opened or read. */
export const inputError =
  (path: string) =>
  (error: PlatformError.PlatformError): BatchError => {
    const code = errorCode(error)
    if (code === "ENOENT" || code === "ENOTDIR") {
      return new BatchError({
        reason: "InputMissing",
        path,
        message: `There is no input file ${path}: check the name and the folder it is in.`
      })
    }
    return new BatchError({
      reason: "InputUnreadable",
      path,
      message:
        code === "EACCES" || code === "EPERM"
          ? `The input ${inputName(path)} may not be read by this user: change its permissions (chmod u+r).`
          : code === "EISDIR"
            ? inputIsDirectory(path).message
            : `The input ${inputName(path)} cannot be read (${code}): look after the disk or pipe that it comes from.`
    })
  }

export const inputIsDirectory = (path: string): BatchError =>
  new BatchError({
    reason: "InputUnreadable",
    path,
    message: `The input ${path} is a folder: name the file in it that has the rows.`
  })

/** A result file could not be opened, written or changed. */
export const outputError =
  (path: string) =>
  (error: PlatformError.PlatformError): BatchError => {
    const code = errorCode(error)
    switch (code) {
      case "ENOSPC":
      case "EDQUOT":
        return new BatchError({
          reason: "DiskFull",
          path,
          message: `The disk is full (${code}) while writing ${outputName(path)}: make room, then ${
            path === "-" ? "start anew, best with a file to be able to resume" : "go on with --resume"
          }.`
        })
      case "ENOENT":
      case "ENOTDIR":
        return missingFolder(path)
      case "EPIPE":
        return new BatchError({
          reason: "OutputUnwritable",
          path,
          message: `The reader of ${outputName(path)} has gone: nothing more can be written. Write to a file to be able to resume.`
        })
      default:
        return new BatchError({
          reason: "OutputUnwritable",
          path,
          message:
            code === "EACCES" || code === "EPERM" || code === "EROFS"
              ? `The result file ${path} may not be written by this user: change its permissions or name another file.`
              : code === "EISDIR"
                ? `The result file ${path} is a folder: name a file in it.`
                : `The result file ${outputName(path)} cannot be written (${code}): name another file or mend the disk.`
        })
    }
  }

/** A result file could not be read, to go on from what it has. */
export const resultsError =
  (path: string) =>
  (error: PlatformError.PlatformError): BatchError => {
    const code = errorCode(error)
    return new BatchError({
      reason: "OutputUnwritable",
      path,
      message:
        code === "EACCES" || code === "EPERM"
          ? `The result file ${path} may not be read by this user, so that it cannot be resumed: change its permissions (chmod u+r).`
          : `The result file ${path} cannot be read (${code}), so that it cannot be resumed: look after the disk that it is on.`
    })
  }

export const missingFolder = (path: string): BatchError =>
  new BatchError({
    reason: "OutputUnwritable",
    path,
    message: `There is no folder for the result file ${path}: make it with \`mkdir -p ${NodePath.dirname(path)}\`.`
  })
