/** What went wrong with a file of the host, in a person's words. */

import { CommandError, ExitStatus } from "./command-error.ts";

const SENTENCES: Record<string, string> = {
  ENOENT: "no such file or directory",
  ENOTDIR: "a part of the path is not a directory",
  EISDIR: "is a directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  ELOOP: "too many symbolic links",
  ENAMETOOLONG: "the name is too long",
  EMFILE: "too many open files",
};

/**
 * Turns an error of `node:fs` into ours; anything else comes back as it was.
 * @param subject what the sentence is about: "disasm: ./x"
 */
export function describeFileError(
  subject: string,
  error: unknown,
  exitStatus: number = ExitStatus.Ours,
): unknown {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return error;
  return new CommandError(`${subject}: ${SENTENCES[error.code] ?? error.message}`, exitStatus);
}
