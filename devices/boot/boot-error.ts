/** Why something cannot be booted, as a sentence for people. */

export class BootError extends Error {
  /** @param subject the file, as the person named it */
  constructor(
    readonly subject: string,
    readonly reason: string,
  ) {
    super(`${subject}: ${reason}`);
    this.name = "BootError";
  }
}
