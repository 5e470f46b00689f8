/** Errors for people: one line on stderr, and an exit status in the manner of `docker run`. */

/** Exit statuses that are ours and not the program's. 128 + n: killed by signal n. */
export const ExitStatus = { Ours: 125, NotExecutable: 126, NotFound: 127 } as const;

/** Ends the command with one line on stderr. The message says what was wrong and what to do. */
export class CommandError extends Error {
  constructor(
    message: string,
    readonly exitStatus: number = ExitStatus.Ours,
  ) {
    super(message);
    this.name = "CommandError";
  }
}
